package sandbox

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/ld-mcp/ld-mcp/internal/pattern"
)

func (a *Account) environmentRoutes() {
	a.route("GET /projects/{project}/environments", a.listEnvironments)
	a.route("POST /projects/{project}/environments", a.createEnvironment)
	a.route("GET /projects/{project}/environments/{environment}", a.onEnvironment(a.getEnvironment))
	a.route("PATCH /projects/{project}/environments/{environment}", a.onEnvironment(a.patchEnvironment))
	a.route("DELETE /projects/{project}/environments/{environment}", a.onEnvironment(a.deleteEnvironment))
	a.route("POST /projects/{project}/environments/{environment}/apiKey", a.onEnvironment(a.resetSDKKey))
	a.route("POST /projects/{project}/environments/{environment}/mobileKey", a.onEnvironment(a.resetMobileKey))
}

// onEnvironment looks up the project and environment named in the path.
func (a *Account) onEnvironment(h func(http.ResponseWriter, *http.Request, *project, *environment)) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		if p := a.project(w, r); p != nil {
			if e := a.environment(w, p, r.PathValue("environment")); e != nil {
				h(w, r, p, e)
			}
		}
	}
}

func (e *environment) spec(p *project) string { return p.spec() + ":env/" + e.Key }

type environmentRep struct {
	Links     links  `json:"_links"`
	ID        string `json:"_id"`
	Key       string `json:"key"`
	APIKey    string `json:"apiKey"`
	MobileKey string `json:"mobileKey"`
	environmentSettings
	ResourceApprovalSettings map[string]approvalSettings `json:"resourceApprovalSettings"`
}

func (e *environment) rep(p *project) environmentRep {
	return environmentRep{
		Links: links{
			"self":      linkTo("projects", p.Key, "environments", e.Key),
			"apiKey":    linkTo("projects", p.Key, "environments", e.Key, "apiKey"),
			"mobileKey": linkTo("projects", p.Key, "environments", e.Key, "mobileKey"),
		},
		ID: e.ID, Key: e.Key, APIKey: e.APIKey, MobileKey: e.MobileKey, environmentSettings: e.environmentSettings,
		ResourceApprovalSettings: map[string]approvalSettings{"segment": e.SegmentApprovals, "aiconfig": e.AIConfigApprovals},
	}
}

func (a *Account) listEnvironments(w http.ResponseWriter, r *http.Request) {
	p := a.project(w, r)
	if p == nil {
		return
	}
	found, err := filterAndSort(r, p.Envs, environmentMatches, environmentSorts)
	if err != nil {
		badRequest(w, err)
		return
	}
	sendPage(w, r, found, anyLimit, func(e *environment) environmentRep { return e.rep(p) })
}

func environmentMatches(e *environment, f fieldFilter) (bool, error) {
	switch f.field {
	case "query":
		return containsFold(e.Key, f.value) || containsFold(e.Name, f.value), nil
	case "tags":
		return hasTags(e.Tags, f.value), nil
	}
	return false, fmt.Errorf("invalid filter field %q", f.field)
}

var environmentSorts = map[string]func(a, b *environment) int{
	"name":      func(a, b *environment) int { return cmp.Compare(a.Name, b.Name) },
	"createdOn": func(a, b *environment) int { return cmp.Compare(a.Created, b.Created) },
	"critical": func(a, b *environment) int {
		if a.Critical == b.Critical {
			return 0
		}
		if b.Critical {
			return -1
		}
		return 1
	},
}

func (a *Account) getEnvironment(w http.ResponseWriter, r *http.Request, p *project, e *environment) {
	send(w, http.StatusOK, e.rep(p))
}

type environmentPost struct {
	Key                string   `json:"key"`
	Name               string   `json:"name"`
	Color              string   `json:"color"`
	DefaultTTL         int      `json:"defaultTtl"`
	SecureMode         bool     `json:"secureMode"`
	DefaultTrackEvents bool     `json:"defaultTrackEvents"`
	RequireComments    bool     `json:"requireComments"`
	ConfirmChanges     bool     `json:"confirmChanges"`
	Tags               []string `json:"tags"`
	Critical           bool     `json:"critical"`
	Source             struct {
		Key string `json:"key"`
	} `json:"source"`
}

func defaultEnvironments() []environmentPost {
	return []environmentPost{
		{Key: "test", Name: "Test", Color: "f5a623"},
		{Key: "production", Name: "Production", Color: "417505"},
	}
}

var validColor = pattern.Of(`^[0-9a-fA-F]{6}$`)

func (s environmentSettings) check() error {
	if err := checkName(s.Name); err != nil {
		return err
	}
	if !validColor().MatchString(s.Color) {
		return fmt.Errorf("invalid color %q: expected six hexadecimal digits", s.Color)
	}
	if s.DefaultTTL < 0 || s.DefaultTTL > 60 {
		return errors.New("invalid defaultTtl: it must be between 0 and 60 minutes")
	}
	return nil
}

func defaultApprovals() approvalSettings {
	return approvalSettings{MinNumApprovals: 1, ServiceKind: "launchdarkly", RequiredApprovalTags: []string{}}
}

// newEnvironment makes an environment that is not yet in p, and gives each of
// p's flags a configuration in it. On an error it says which status to answer.
func (a *Account) newEnvironment(p *project, in environmentPost) (*environment, int, error) {
	s := environmentSettings{
		Name: in.Name, Color: in.Color, DefaultTTL: in.DefaultTTL, SecureMode: in.SecureMode,
		DefaultTrackEvents: in.DefaultTrackEvents, RequireComments: in.RequireComments,
		ConfirmChanges: in.ConfirmChanges, Tags: in.Tags, Critical: in.Critical, FlagApprovals: defaultApprovals(),
	}
	if s.Tags == nil {
		s.Tags = []string{}
	}
	if err := cmp.Or(checkKey(in.Key, 100), s.check()); err != nil {
		return nil, http.StatusBadRequest, err
	}
	if p.env(in.Key) != nil {
		return nil, http.StatusConflict, errors.New("environment key already exists")
	}
	var source *environment
	if in.Source.Key != "" {
		if source = p.env(in.Source.Key); source == nil {
			return nil, http.StatusNotFound, fmt.Errorf("unknown environment key %s", in.Source.Key)
		}
	}
	e := &environment{
		ID: a.objectID(), Key: in.Key, APIKey: "sdk-" + a.uuid(), MobileKey: "mob-" + a.uuid(), Created: a.tick(),
		environmentSettings: s, SegmentApprovals: defaultApprovals(), AIConfigApprovals: defaultApprovals(),
	}
	for _, f := range p.Flags {
		c := a.newFlagConfig(f, e)
		if source != nil {
			c = cloneOf(f.Environments[source.Key])
			c.Version, c.LastModified, c.EnvironmentName = 1, e.Created, e.Name
		}
		f.Environments[e.Key] = c
		f.Status[e.Key] = flagStatus{}
	}
	if source != nil {
		for _, s := range source.Segments {
			next := cloneOf(s)
			next.Version, next.CreationDate, next.LastModifiedDate = 1, e.Created, e.Created
			next.Salt, next.BigIncluded, next.BigExcluded = s.Salt, maps.Clone(s.BigIncluded), maps.Clone(s.BigExcluded)
			e.Segments = append(e.Segments, next)
		}
	}
	return e, 0, nil
}

// cloneOf copies what JSON shows of v.
func cloneOf[T any](v *T) *T {
	next := new(T)
	if err := json.Unmarshal(jsonValue(v), next); err != nil {
		panic(err) // v was made from JSON
	}
	return next
}

func (a *Account) createEnvironment(w http.ResponseWriter, r *http.Request) {
	p := a.project(w, r)
	if p == nil {
		return
	}
	var in environmentPost
	if err := decodeBody(r, &in); err != nil {
		badRequest(w, err)
		return
	}
	e, status, err := a.newEnvironment(p, in)
	if err != nil {
		fail(w, status, codeFor(status), sentence(err))
		return
	}
	p.Envs = append(p.Envs, e)
	a.record(r, e.change(p, "createEnvironment", "created the environment", nil, jsonValue(e.rep(p))))
	send(w, http.StatusCreated, e.rep(p))
}

func (e *environment) change(p *project, action, verb string, before, after json.RawMessage) change {
	return change{
		Kind: "environment", Name: e.Name, Resource: e.spec(p), Actions: []string{action}, Verb: verb,
		Before: before, After: after, ParentName: p.Name, Parent: p.spec(),
	}
}

func (a *Account) patchEnvironment(w http.ResponseWriter, r *http.Request, p *project, e *environment) {
	before, next := jsonValue(e.rep(p)), e.environmentSettings
	paths, err := patchDocument(r, &next)
	if err == nil {
		err = cmp.Or(next.check(), next.FlagApprovals.check(e.SegmentApprovals))
	}
	if err != nil {
		failPatch(w, err)
		return
	}
	a.tick()
	if next.Tags == nil {
		next.Tags = []string{}
	}
	e.environmentSettings = next
	for _, f := range p.Flags {
		if c := f.Environments[e.Key]; c.EnvironmentName != e.Name {
			renamed := *c
			renamed.EnvironmentName = e.Name
			f.Environments[e.Key] = &renamed
		}
	}
	c := e.change(p, "", "updated the environment", before, jsonValue(e.rep(p)))
	c.Actions = actionsFor(paths, environmentActions, "updateName")
	a.record(r, c)
	send(w, http.StatusOK, e.rep(p))
}

func (s approvalSettings) check(others approvalSettings) error {
	if s.Required && len(s.RequiredApprovalTags) > 0 {
		return errors.New("approvalSettings cannot have both required and requiredApprovalTags")
	}
	if s.MinNumApprovals < 1 || s.MinNumApprovals > 5 {
		return errors.New("approvalSettings.minNumApprovals must be between 1 and 5")
	}
	if s.ServiceKind != others.ServiceKind {
		return errors.New("approvalSettings and resourceApprovalSettings service properties must match")
	}
	return nil
}

var environmentActions = map[string]string{
	"name":               "updateName",
	"color":              "updateColor",
	"defaultTtl":         "updateTtl",
	"secureMode":         "updateSecureMode",
	"defaultTrackEvents": "updateDefaultTrackEvents",
	"requireComments":    "updateRequireComments",
	"confirmChanges":     "updateConfirmChanges",
	"tags":               "updateTags",
	"critical":           "updateCritical",
	"approvalSettings":   "updateApprovalSettings",
}

func (a *Account) deleteEnvironment(w http.ResponseWriter, r *http.Request, p *project, e *environment) {
	if len(p.Envs) == 1 {
		badRequest(w, errors.New("the last environment of a project cannot be deleted"))
		return
	}
	a.tick()
	a.record(r, e.change(p, "deleteEnvironment", "deleted the environment", jsonValue(e.rep(p)), nil))
	p.Envs = slices.DeleteFunc(p.Envs, func(x *environment) bool { return x == e })
	for _, f := range p.Flags {
		delete(f.Environments, e.Key)
		delete(f.Status, e.Key)
	}
	a.contexts = slices.DeleteFunc(a.contexts, func(c *seenContext) bool { return c.Project == p.Key && c.Env == e.Key })
	send(w, http.StatusNoContent, nil)
}

func (a *Account) resetSDKKey(w http.ResponseWriter, r *http.Request, p *project, e *environment) {
	a.resetKey(w, r, p, e, &e.APIKey, "sdk-", "updateApiKey")
}

func (a *Account) resetMobileKey(w http.ResponseWriter, r *http.Request, p *project, e *environment) {
	a.resetKey(w, r, p, e, &e.MobileKey, "mob-", "updateMobileKey")
}

func (a *Account) resetKey(w http.ResponseWriter, r *http.Request, p *project, e *environment, key *string, prefix, action string) {
	before := jsonValue(e.rep(p))
	*key = prefix + a.uuid()
	a.tick()
	a.record(r, e.change(p, action, "updated the environment", before, jsonValue(e.rep(p))))
	send(w, http.StatusOK, e.rep(p))
}
