package sandbox

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
)

func (a *Account) policyRoutes() {
	const list = "/projects/{project}/release-policies"
	a.route("GET "+list, a.listPolicies)
	a.route("POST "+list, a.createPolicy)
	a.route("POST "+list+"/order", a.orderPolicies)
	a.route("GET "+list+"/{policy}", a.getPolicy)
	a.route("PUT "+list+"/{policy}", a.updatePolicy)
	a.route("DELETE "+list+"/{policy}", a.deletePolicy)
}

// releasePolicy says how flags within its scope are released. Ranks are places in the project's list.
type releasePolicy struct {
	ID   string `json:"_id"`
	Key  string `json:"key"`
	Rank int    `json:"rank"`
	policyFields
}

type policyFields struct {
	Name        string               `json:"name"`
	Method      string               `json:"releaseMethod"`
	Scope       policyScope          `json:"scope"`
	Guarded     *guardedPolicy       `json:"guardedReleaseConfig,omitempty"`
	Progressive *progressivePolicies `json:"progressiveReleaseConfig,omitempty"`
}

type policyScope struct {
	Environments []string `json:"environmentKeys,omitempty"`
	FlagTags     []string `json:"flagTagKeys,omitempty"`
}

type progressivePolicies struct {
	ContextKind string         `json:"rolloutContextKindKey,omitempty"`
	Stages      []releaseStage `json:"stages,omitempty"`
}

type guardedPolicy struct {
	progressivePolicies
	MinSampleSize int      `json:"minSampleSize,omitempty"`
	Rollback      bool     `json:"rollbackOnRegression"`
	Metrics       []string `json:"metricKeys,omitempty"`
	MetricGroups  []string `json:"metricGroupKeys,omitempty"`
}

// check says what is wrong with a policy of this project.
func (in policyFields) check(p *project) *apiError {
	var stages []releaseStage
	most := fullWeight
	switch {
	case in.Name == "" || len(in.Name) > 256:
		return invalid("name must have 1 to 256 characters")
	case in.Method == "guarded-release" && in.Progressive != nil, in.Method == "progressive-release" && in.Guarded != nil:
		return invalid("the configuration does not match releaseMethod %s", in.Method)
	case in.Method == "guarded-release":
		if most /= 2; in.Guarded != nil {
			stages = in.Guarded.Stages
		}
	case in.Method == "progressive-release":
		if in.Progressive != nil {
			stages = in.Progressive.Stages
		}
	default:
		return invalid("releaseMethod must be guarded-release or progressive-release, not '%s'", in.Method)
	}
	for _, s := range stages {
		if s.Allocation <= 0 || s.Allocation > most || s.DurationMillis <= 0 {
			return invalid("stage allocation must be between 1 and %d and durationMillis greater than 0", most)
		}
	}
	return p.knows(in.Scope.Environments)
}

func (p *project) policy(key string) int {
	return slices.IndexFunc(p.Policies, func(x *releasePolicy) bool { return x.Key == key })
}

// rank numbers the policies by their place.
func (p *project) rank() {
	for i, x := range p.Policies {
		x.Rank = i + 1
	}
}

// policy finds the policy named in the path; it answers and returns nil where there is none.
func (a *Account) policy(w http.ResponseWriter, r *http.Request) (*project, *releasePolicy) {
	return inPath(a, w, r, "release policy", "policy", func(p *project, key string) *releasePolicy {
		if i := p.policy(key); i >= 0 {
			return p.Policies[i]
		}
		return nil
	})
}

func (a *Account) listPolicies(w http.ResponseWriter, r *http.Request) {
	p := a.project(w, r)
	if p == nil {
		return
	}
	if s := r.URL.Query().Get("excludeDefault"); s != "" {
		if _, err := strconv.ParseBool(s); err != nil {
			refuse(w, invalid("excludeDefault must be true or false, not '%s'", s))
			return
		}
	}
	items := slices.Clone(p.Policies)
	if items == nil {
		items = []*releasePolicy{}
	}
	send(w, http.StatusOK, map[string]any{"items": items, "totalCount": len(items)})
}

func (a *Account) getPolicy(w http.ResponseWriter, r *http.Request) {
	if _, x := a.policy(w, r); x != nil {
		send(w, http.StatusOK, x)
	}
}

func (a *Account) createPolicy(w http.ResponseWriter, r *http.Request) {
	p, key, in := posted[policyFields](a, w, r)
	if p == nil {
		return
	}
	if err := in.check(p); err != nil {
		refuse(w, err)
		return
	}
	if p.policy(key) >= 0 {
		refuse(w, conflict("A release policy with key %s already exists", key))
		return
	}
	x := &releasePolicy{ID: a.uuid(), Key: key, policyFields: *in}
	p.Policies = append(p.Policies, x)
	p.rank()
	a.recordPolicy(r, p, x, "createReleasePolicy", "created the release policy", nil, jsonValue(x))
	send(w, http.StatusCreated, x)
}

func (a *Account) updatePolicy(w http.ResponseWriter, r *http.Request) {
	p, x := a.policy(w, r)
	if x == nil {
		return
	}
	var in policyFields
	if err := decodeBody(r, &in); err != nil {
		badRequest(w, err)
		return
	}
	if err := in.check(p); err != nil {
		refuse(w, err)
		return
	}
	before := jsonValue(x)
	x.policyFields = in
	a.recordPolicy(r, p, x, "updateReleasePolicy", "updated the release policy", before, jsonValue(x))
	send(w, http.StatusOK, x)
}

func (a *Account) deletePolicy(w http.ResponseWriter, r *http.Request) {
	p, x := a.policy(w, r)
	if x == nil {
		return
	}
	p.Policies = slices.DeleteFunc(p.Policies, func(other *releasePolicy) bool { return other == x })
	p.rank()
	a.recordPolicy(r, p, x, "deleteReleasePolicy", "deleted the release policy", jsonValue(x), nil)
	send(w, http.StatusNoContent, nil)
}

func (a *Account) orderPolicies(w http.ResponseWriter, r *http.Request) {
	p := a.project(w, r)
	if p == nil {
		return
	}
	var keys []string
	if err := decodeBody(r, &keys); err != nil {
		badRequest(w, err)
		return
	}
	var next []*releasePolicy
	for _, key := range keys {
		if i := p.policy(key); i >= 0 && !slices.Contains(next, p.Policies[i]) {
			next = append(next, p.Policies[i])
		}
	}
	if len(next) != len(p.Policies) || len(keys) != len(next) {
		refuse(w, invalid("the order must name every release policy of the project once"))
		return
	}
	before := jsonValue(p.Policies)
	p.Policies = next
	p.rank()
	if len(next) > 0 {
		a.recordPolicy(r, p, next[0], "updateReleasePolicyRank", "reordered the release policies", before, jsonValue(next))
	}
	send(w, http.StatusOK, append([]*releasePolicy{}, next...))
}

func (a *Account) recordPolicy(r *http.Request, p *project, x *releasePolicy, action, verb string, before, after json.RawMessage) {
	a.record(r, change{Kind: "release-policy", Name: x.Name, Resource: p.spec() + ":release-policy/" + x.Key, Actions: []string{action}, Verb: verb,
		Before: before, After: after, ParentName: p.Name, Parent: p.spec()})
}
