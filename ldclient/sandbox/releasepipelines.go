package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

func (a *Account) pipelineRoutes() {
	a.route("GET /projects/{project}/release-pipelines", a.listPipelines)
	a.route("GET /projects/{project}/release-pipelines/{pipeline}", a.getPipeline)
	a.route("GET /flags/{project}/{flag}/release", a.getFlagRelease)
	a.route("PUT /projects/{project}/flags/{flag}/release/phases/{phase}", a.updatePhase)
}

// releasePipeline is an order of phases through which flags are released.
type releasePipeline struct {
	Key, Name, Description string
	Tags                   []string
	Created                int64
	Phases                 []pipelinePhase
}

type pipelinePhase struct {
	ID, Name  string
	Audiences []pipelineAudience
}

type pipelineAudience struct {
	Name, Environment string
	Segments          []string
	RequireApproval   bool
	Guard             *audienceGuard // nil releases to everyone at once
}

type audienceGuard struct {
	Window   int64  `json:"monitoringWindowMilliseconds"`
	Weight   int    `json:"rolloutWeight"` // percent
	Rollback bool   `json:"rollbackOnRegression"`
	Unit     string `json:"randomizationUnit"`
}

// flagProgress is a flag's way through a pipeline.
type flagProgress struct {
	Pipeline    *releasePipeline
	VariationID string
	Version     int
	Phases      []phaseProgress
}

type phaseProgress struct {
	ID                         string
	AudienceIDs                []string
	Created, Started, Complete int64
}

func (ph phaseProgress) status(before []phaseProgress) string {
	switch {
	case ph.Complete != 0:
		return "Complete"
	case ph.Started != 0:
		return "Started"
	case !slices.ContainsFunc(before, func(b phaseProgress) bool { return b.Complete == 0 }):
		return "ReadyToStart"
	}
	return "NotStarted"
}

type audienceRep struct {
	ID            string          `json:"_id,omitempty"`
	Name          string          `json:"name"`
	Environment   *environmentRef `json:"environment,omitempty"`
	Segments      []string        `json:"segmentKeys,omitempty"`
	Status        string          `json:"status,omitempty"`
	Configuration struct {
		Strategy        string         `json:"releaseStrategy"`
		RequireApproval bool           `json:"requireApproval"`
		Guard           *audienceGuard `json:"releaseGuardianConfiguration,omitempty"`
	} `json:"configuration"`
}

type environmentRef struct {
	Links links  `json:"_links"`
	Key   string `json:"key"`
	Name  string `json:"name"`
	Color string `json:"color"`
}

func (au pipelineAudience) rep(p *project) audienceRep {
	out := audienceRep{Name: au.Name, Segments: au.Segments}
	if e := p.env(au.Environment); e != nil {
		out.Environment = &environmentRef{links{"self": linkTo("projects", p.Key, "environments", e.Key)}, e.Key, e.Name, e.Color}
	}
	out.Configuration.Strategy, out.Configuration.RequireApproval = "immediateRelease", au.RequireApproval
	if au.Guard != nil {
		out.Configuration.Strategy, out.Configuration.Guard = "monitoredRelease", au.Guard
	}
	return out
}

func (l *releasePipeline) rep(p *project) map[string]any {
	phases := []any{}
	for _, ph := range l.Phases {
		audiences := []audienceRep{}
		for _, au := range ph.Audiences {
			audiences = append(audiences, au.rep(p))
		}
		phases = append(phases, map[string]any{"id": ph.ID, "name": ph.Name, "audiences": audiences})
	}
	return map[string]any{
		"key": l.Key, "name": l.Name, "description": l.Description, "tags": l.Tags, "phases": phases, "_version": 1,
		"createdAt": time.UnixMilli(l.Created).UTC().Format(time.RFC3339), "isProjectDefault": p.DefaultReleasePipelineKey == l.Key, "_isLegacy": false,
	}
}

func (f *flagProgress) rep(p *project) map[string]any {
	phases := []any{}
	for i, ph := range f.Phases {
		from := f.Pipeline.Phases[i]
		audiences := []audienceRep{}
		for n, au := range from.Audiences {
			rep := au.rep(p)
			rep.ID, rep.Status = ph.AudienceIDs[n], ph.status(f.Phases[:i])
			audiences = append(audiences, rep)
		}
		one := map[string]any{"_id": ph.ID, "_name": from.Name, "complete": ph.Complete != 0, "_creationDate": ph.Created, "_audiences": audiences,
			"status": ph.status(f.Phases[:i]), "started": ph.Started != 0}
		if ph.Started != 0 {
			one["_startedDate"] = ph.Started
		}
		if ph.Complete != 0 {
			one["_completionDate"] = ph.Complete
		}
		phases = append(phases, one)
	}
	return map[string]any{"name": f.Pipeline.Name, "releasePipelineKey": f.Pipeline.Key, "releasePipelineDescription": f.Pipeline.Description,
		"phases": phases, "_version": f.Version, "_releaseVariationId": f.VariationID}
}

func (a *Account) listPipelines(w http.ResponseWriter, r *http.Request) {
	p := a.project(w, r)
	if p == nil {
		return
	}
	found, err := filterAndSort(r, p.Pipelines, (*releasePipeline).holds, nil)
	if err != nil {
		badRequest(w, err)
		return
	}
	sendPage(w, r, found, anyLimit, func(l *releasePipeline) any { return l.rep(p) })
}

func (a *Account) getPipeline(w http.ResponseWriter, r *http.Request) {
	p := a.project(w, r)
	if p == nil {
		return
	}
	i := slices.IndexFunc(p.Pipelines, func(l *releasePipeline) bool { return l.Key == r.PathValue("pipeline") })
	if i < 0 {
		fail(w, http.StatusNotFound, "not_found", "Unknown release pipeline key "+r.PathValue("pipeline"))
		return
	}
	send(w, http.StatusOK, p.Pipelines[i].rep(p))
}

// progress finds the release of the flag named in the path; it answers and returns nil where there is none.
func (a *Account) progress(w http.ResponseWriter, r *http.Request) (*project, *flag, *flagProgress) {
	p, f := a.flag(w, r)
	if f == nil {
		return nil, nil, nil
	}
	way := p.Progress[f]
	if way == nil {
		fail(w, http.StatusNotFound, "not_found", "Release not found for flag "+f.Key)
	}
	return p, f, way
}

func (a *Account) getFlagRelease(w http.ResponseWriter, r *http.Request) {
	if p, _, way := a.progress(w, r); way != nil {
		send(w, http.StatusOK, way.rep(p))
	}
}

// updatePhase starts a phase, or marks it as complete. Starting one without a
// guard turns the flag on in its environments and gives everyone the variation
// that is released; a guarded one only starts.
func (a *Account) updatePhase(w http.ResponseWriter, r *http.Request) {
	p, f, way := a.progress(w, r)
	if way == nil {
		return
	}
	var in struct {
		Status    string `json:"status"`
		Audiences []struct {
			ID string `json:"audienceId"`
		} `json:"audiences"`
	}
	if err := decodeBody(r, &in); err != nil {
		badRequest(w, err)
		return
	}
	i := slices.IndexFunc(way.Phases, func(ph phaseProgress) bool { return ph.ID == r.PathValue("phase") })
	if i < 0 {
		fail(w, http.StatusNotFound, "not_found", "Unknown phase "+r.PathValue("phase"))
		return
	}
	before, now := jsonValue(way.rep(p)), way.Phases[i].status(way.Phases[:i])
	for _, au := range in.Audiences {
		if !slices.Contains(way.Phases[i].AudienceIDs, au.ID) {
			refuse(w, invalid("unknown audience '%s'", au.ID))
			return
		}
	}
	switch {
	case in.Status == "Started" && now == "ReadyToStart":
		if err := a.startPhase(p, f, way, i); err != nil {
			refuse(w, err)
			return
		}
	case in.Status == "Complete" && now == "Started":
		way.Phases[i].Complete = a.tick()
	default:
		refuse(w, invalid("a phase that is %s cannot become %s", now, in.Status))
		return
	}
	way.Version++
	a.record(r, change{Kind: "flag", Name: f.Name, Resource: p.spec() + ":env/*:flag/" + f.Key, Actions: []string{"updateReleasePhaseStatus"},
		Verb: "updated a release phase of the flag", Before: before, After: jsonValue(way.rep(p)), ParentName: p.Name, Parent: p.spec()})
	send(w, http.StatusOK, way.rep(p))
}

func (a *Account) startPhase(p *project, f *flag, way *flagProgress, i int) *apiError {
	g, gate := f, []string(nil)
	for _, au := range way.Pipeline.Phases[i].Audiences {
		if au.Guard != nil || len(au.Segments) > 0 || p.env(au.Environment) == nil {
			continue
		}
		next, actions, err := a.applyToFlag(p, g, au.Environment, []instruction{
			{"kind": "updateFallthroughVariationOrRollout", "variationId": way.VariationID}, {"kind": "turnFlagOn"}})
		if err != nil {
			return err
		}
		if err := a.flagApproval(p.env(au.Environment), f, actions); err != nil {
			return err
		}
		g, gate = next, append(gate, actions...)
	}
	if g != f {
		a.commitFlag(p, f, g, gate)
	}
	way.Phases[i].Started = a.tick()
	return nil
}

// holds says whether a pipeline is one that a list's filter asks for.
func (l *releasePipeline) holds(f fieldFilter) (bool, error) {
	switch f.field {
	case "query":
		return containsFold(l.Key, f.value) || containsFold(l.Name, f.value) || containsFold(l.Description, f.value), nil
	case "env":
		return slices.ContainsFunc(l.Phases, func(ph pipelinePhase) bool {
			return slices.ContainsFunc(ph.Audiences, func(au pipelineAudience) bool { return au.Environment == f.value })
		}), nil
	}
	return false, fmt.Errorf("invalid filter field %q", f.field)
}
