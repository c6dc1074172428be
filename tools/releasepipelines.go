package tools

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// pipelineRow is a release pipeline in a list.
type pipelineRow struct {
	Key     string   `json:"key"`
	Name    string   `json:"name,omitempty" doc:"only where it says more than the key"`
	Phases  []string `json:"phases" doc:"their names in order, the first ten"`
	Tags    []string `json:"tags,omitempty"`
	Default bool     `json:"projectDefault,omitempty"`
	Legacy  bool     `json:"legacy,omitempty"`
}

func pipelineRowOf(p ldclient.ReleasePipeline) pipelineRow {
	return pipelineRow{p.Key, nameBeside(p.Key, p.Name), keysOf(ten(p.Phases, 0), func(ph ldclient.PipelinePhase) string { return ph.Name }), p.Tags, p.ProjectDefault, p.Legacy}
}

var listReleasePipelines = read(Spec{
	Name: "list-release-pipelines", Title: "List release pipelines",
	Doc: "List a project's release pipelines with their phases.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atProject
	Query string `json:"query,omitempty" alias:"search" told:"true" doc:"Part of a key, name or description"`
	paged
}) (page[pipelineRow], error) {
	got, err := manyPages(ctx, in.paged, func(ctx context.Context, p ldclient.Paging) (*ldclient.Page[ldclient.ReleasePipeline], error) {
		return ld.Releases.Pipelines(ctx, in.Project, in.Query, p)
	})
	if err != nil {
		return page[pipelineRow]{}, err
	}
	return pageOf(got, in.Offset, pipelineRowOf), nil
})

type pipelineDetail struct {
	Key         string      `json:"key"`
	Name        string      `json:"name,omitempty"`
	Description string      `json:"description,omitempty"`
	Created     string      `json:"created,omitempty"`
	Version     int         `json:"version,omitempty"`
	Tags        []string    `json:"tags,omitempty"`
	Default     bool        `json:"projectDefault,omitempty"`
	Legacy      bool        `json:"legacy,omitempty" doc:"its phases cannot be started here"`
	Phases      []phaseView `json:"phases" doc:"in order"`
}

type phaseView struct {
	ID        string         `json:"id"`
	Name      string         `json:"name"`
	Status    string         `json:"status,omitempty" doc:"NotStarted, ReadyToStart, Started, Paused or Complete"`
	Started   string         `json:"started,omitempty"`
	Completed string         `json:"completed,omitempty"`
	Audiences []audienceView `json:"audiences" doc:"the first ten"`
}

type audienceView struct {
	Name        string   `json:"name"`
	Environment string   `json:"environmentKey,omitempty"`
	Segments    []string `json:"segmentKeys,omitempty" doc:"everyone if not given; the first ten"`
	Status      string   `json:"status,omitempty"`
	Strategy    string   `json:"releaseStrategy,omitempty"`
	Guard       string   `json:"guard,omitempty" doc:"how far and how long it is watched"`
	Approval    bool     `json:"requireApproval,omitempty"`
}

// audienceViews leaves out the audiences of environments outside the scope.
func audienceViews(scope ldclient.Scope, in []ldclient.ReleaseAudience) []audienceView {
	in = slices.DeleteFunc(slices.Clone(in), func(a ldclient.ReleaseAudience) bool {
		return a.Environment != nil && !scope.AllowsEnvironment(a.Environment.Key)
	})
	out := []audienceView{}
	for _, a := range ten(in, 0) {
		v := audienceView{Name: a.Name, Segments: ten(a.Segments, 0), Status: a.Status, Strategy: a.Configuration.Strategy, Approval: a.Configuration.RequireApproval}
		if a.Environment != nil {
			v.Environment = a.Environment.Key
		}
		if g := a.Configuration.Guardian; g != nil {
			v.Guard = fmt.Sprintf("%d %% for %s h", g.Weight, number(float64(g.Window*100/hour)/100))
			if g.Rollback {
				v.Guard += ", rolled back on regression"
			}
		}
		out = append(out, v)
	}
	return out
}

type atReleasePipeline struct {
	Project  string `json:"projectKey" alias:"project"`
	Pipeline string `json:"pipelineKey" alias:"key,releasePipelineKey"`
}

func (a atReleasePipeline) target() ldclient.Target {
	return ldclient.Target{Project: a.Project, Kind: "release-pipeline", Key: a.Pipeline}
}

var getReleasePipeline = read(Spec{
	Name: "get-release-pipeline", Title: "Get a release pipeline",
	Doc: "Read one release pipeline: its phases, and the environments and segments that each releases to.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atReleasePipeline
}) (pipelineDetail, error) {
	p, err := ld.Releases.Pipeline(ctx, in.Project, in.Pipeline)
	if err != nil {
		return pipelineDetail{}, orOthers(err, "release pipeline", in.Pipeline, func() ([]string, error) {
			return keysOn(func(p ldclient.ReleasePipeline) string { return p.Key })(ld.Releases.Pipelines(ctx, in.Project, "", ldclient.Paging{Limit: upstreamPage}))
		})
	}
	d := pipelineDetail{Key: p.Key, Name: nameBeside(p.Key, p.Name), Description: p.Description, Created: p.Created, Version: p.Version,
		Tags: p.Tags, Default: p.ProjectDefault, Legacy: p.Legacy, Phases: []phaseView{}}
	for _, ph := range p.Phases {
		d.Phases = append(d.Phases, phaseView{ID: ph.ID, Name: ph.Name, Audiences: audienceViews(ld.Scope(), ph.Audiences)})
	}
	return d, nil
})

// releaseView is a flag's way through a release pipeline.
type releaseView struct {
	Pipeline  string      `json:"pipelineKey"`
	Name      string      `json:"name,omitempty"`
	Variation string      `json:"variation,omitempty" doc:"what is released"`
	Version   int         `json:"version"`
	Phases    []phaseView `json:"phases" doc:"in order"`
}

func releaseOf(scope ldclient.Scope, f *ldclient.Flag, r *ldclient.FlagRelease) releaseView {
	v := releaseView{Pipeline: r.Pipeline, Name: nameBeside(r.Pipeline, r.Name), Version: r.Version, Phases: []phaseView{}}
	if r.VariationID != "" {
		v.Variation = labelOf(f, r.VariationID)
	}
	for i, ph := range r.Phases {
		v.Phases = append(v.Phases, phaseView{ph.ID, ph.Name, phaseStatus(r.Phases, i), ph.Started.String(), ph.Completed.String(), audienceViews(scope, ph.Audiences)})
	}
	return v
}

// phaseStatus is a phase's status, worked out where LaunchDarkly does not tell it.
func phaseStatus(phases []ldclient.ReleasePhase, i int) string {
	ph := phases[i]
	switch {
	case ph.Status != "":
		return ph.Status
	case ph.Complete:
		return "Complete"
	case ph.Began:
		return "Started"
	case slices.ContainsFunc(phases[:i], func(before ldclient.ReleasePhase) bool { return !before.Complete }):
		return "NotStarted"
	}
	return "ReadyToStart"
}

// flagRelease reads a flag and its release.
func flagRelease(ctx context.Context, ld *ldclient.Client, at ldclient.Target) (*ldclient.Flag, *ldclient.FlagRelease, error) {
	f, err := ld.Flags.Get(ctx, at.Project, "", at.Key)
	if err != nil {
		return nil, nil, err
	}
	r, err := ld.Releases.OfFlag(ctx, at.Project, at.Key)
	if ldclient.IsNotFound(err) {
		return nil, nil, &ldclient.Error{Status: 404, Code: "not_found", Message: fmt.Sprintf("there is no release of flag %s: it is in no release pipeline; start-progressive-rollout and start-guarded-rollout need none", at.Key)}
	}
	return f, r, err
}

var getFlagRelease = read(Spec{
	Name: "get-flag-release", Title: "Get a flag's release",
	Doc: "Read how far a flag is on its way through its release pipeline. For guarded and progressive rollouts see get-rollout-status.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atFlag
}) (releaseView, error) {
	f, r, err := flagRelease(ctx, ld, in.target())
	if err != nil {
		return releaseView{}, err
	}
	return releaseOf(ld.Scope(), f, r), nil
})

// phaseState is what starting a phase changes.
type phaseState struct {
	Version int `json:"version" doc:"of the release"`
	phaseView
}

func phaseStateOf(r releaseView, i int) *phaseState {
	if i >= len(r.Phases) {
		return &phaseState{Version: r.Version}
	}
	return &phaseState{r.Version, r.Phases[i]}
}

var startReleasePhase = update(Spec{
	Name: "start-release-phase", Title: "Start a release phase", Action: "updateReleasePhaseStatus",
	Doc: "Start a phase of a flag's release with the settings of its pipeline, by default the next one that is ready.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atFlag
	Phase string `json:"phaseId,omitempty" alias:"phase,phaseName" doc:"id or name of the phase; the next one that is ready if not given"`
	because
}) (*plan[phaseState], error) {
	f, r, err := flagRelease(ctx, ld, in.target())
	if err != nil {
		return nil, err
	}
	i, err := phaseNamed(r.Phases, in.Phase)
	if err != nil {
		return nil, err
	}
	ph, before := r.Phases[i], releaseOf(ld.Scope(), f, r)
	if in.Phase != "" && phaseStatus(r.Phases, i) == "NotStarted" {
		return nil, badf("phase %s is not ready: %s before it is not complete", short(clean(ph.Name), 60), openPhase(r.Phases[:i]))
	}
	var reaches []string
	for _, a := range before.Phases[i].Audiences {
		to := short(clean(a.Environment), 60)
		if len(a.Segments) > 0 {
			to += " (segments " + strings.Join(a.Segments, ", ") + ")"
		}
		if a.Guard != "" {
			to += ", " + a.Guard
		}
		if a.Approval {
			to += ", after an approval"
		}
		reaches = append(reaches, to)
	}
	what := "its variation"
	if before.Variation != "" {
		what = before.Variation
	}
	p := &plan[phaseState]{
		intent: intent{Says: fmt.Sprintf("start phase %s of the release of flag %s of project %s through pipeline %s, which releases %s to %s",
			short(clean(ph.Name), 60), in.Flag, in.Project, r.Pipeline, what, strings.Join(reaches, "; ")), Version: fmt.Sprintf("release %d %s", r.Version, digest(r.Phases))},
		Before: phaseStateOf(before, i),
		Apply: func(ctx context.Context, how manner) (*phaseState, error) {
			if how.DryRun {
				after := phaseStateOf(before, i)
				after.Status = "Started"
				after.Audiences = slices.Clone(after.Audiences)
				for n := range after.Audiences {
					if a := &after.Audiences[n]; a.Status == "ReadyToStart" && !a.Approval {
						a.Status = "Started"
					}
				}
				return after, nil
			}
			got, err := ld.Releases.StartPhase(ctx, in.Project, in.Flag, ph.ID)
			if err != nil {
				return nil, err
			}
			return phaseStateOf(releaseOf(ld.Scope(), f, got), i), nil
		},
	}
	if s := before.Phases[i].Status; s == "Started" || s == "Complete" {
		p.Nothing = fmt.Sprintf("phase %s is %s already", short(clean(ph.Name), 60), strings.ToLower(s))
	}
	return p, nil
})

// phaseNamed finds a phase by id or name, or the one that can be started next.
func phaseNamed(phases []ldclient.ReleasePhase, said string) (int, error) {
	var hits []int
	var all []string
	for i, ph := range phases {
		all = append(all, fmt.Sprintf("%s (%s, %s)", short(clean(ph.Name), 60), ph.ID, phaseStatus(phases, i)))
		status := phaseStatus(phases, i)
		if said == "" && (status == "ReadyToStart" || status == "Paused") || said != "" && (ph.ID == said || strings.EqualFold(ph.Name, said)) {
			hits = append(hits, i)
		}
	}
	list := strings.Join(all[:min(firstOf, len(all))], ", ")
	switch {
	case len(hits) == 1:
		return hits[0], nil
	case len(hits) > 1:
		return 0, badf("several phases are meant; give the phaseId of one: %s", list)
	case said == "":
		return 0, badf("no phase is ready to start; there are %s", list)
	}
	return 0, badf("the release has no phase %q; it has %s", said, list)
}

func openPhase(phases []ldclient.ReleasePhase) string {
	for _, ph := range phases {
		if !ph.Complete {
			return short(clean(ph.Name), 60)
		}
	}
	return "a phase"
}
