package tools

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// linkedRow is a flag or segment that is linked to a view.
type linkedRow struct {
	Key         string `json:"key"`
	Environment string `json:"environmentKey,omitempty" doc:"of a segment"`
	LinkedAt    string `json:"linkedAt,omitempty"`
}

var listViewLinks = read(Spec{
	Name: "list-view-links", Title: "List a view's links",
	Doc: "List or search the flags, or segments, linked to a view.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atView
	Type  string `json:"resourceType,omitempty" alias:"type,kind" default:"flags" jsonschema:"enum=flags,enum=segments" doc:"Default flags"`
	Query string `json:"query,omitempty" alias:"search" told:"true" doc:"Part of a key"`
	paged
}) (page[linkedRow], error) {
	got, err := manyPages(ctx, in.paged, func(ctx context.Context, p ldclient.Paging) (*ldclient.Page[ldclient.LinkedResource], error) {
		return ld.Views.Linked(ctx, in.Project, in.View, in.Type, in.Query, p)
	})
	if ldclient.IsNotFound(err) {
		if _, other := viewNamed(ctx, ld, in.atView); other != nil {
			err = other
		}
	}
	if err != nil {
		return page[linkedRow]{}, err
	}
	out := pageOf(got, in.Offset, func(l ldclient.LinkedResource) linkedRow {
		return linkedRow{l.Key, l.Environment, l.LinkedAt.String()}
	})
	if in.Type == ldclient.ViewSegments {
		out.keep("segment", func(l linkedRow) bool { return ld.Scope().AllowsEnvironment(l.Environment) })
	}
	return out, nil
})

// viewedInput is a flag, or a segment of an environment.
type viewedInput struct {
	Project     string `json:"projectKey" alias:"project"`
	Flag        string `json:"flagKey,omitempty" alias:"flag,featureFlagKey,key"`
	Segment     string `json:"segmentKey,omitempty" alias:"segment" doc:"Instead of flagKey"`
	Environment string `json:"environmentKey,omitempty" alias:"env,environment" default:"production" told:"true" doc:"The segment's; production if not given"`
}

func (in viewedInput) target() ldclient.Target {
	if in.Segment != "" {
		return ldclient.Target{Project: in.Project, Environment: in.Environment, Kind: "segment", Key: in.Segment}
	}
	return ldclient.Target{Project: in.Project, Kind: "flag", Key: in.Flag}
}

var getFlagViews = read(Spec{
	Name: "get-flag-views", Title: "Get a flag's views",
	Doc: "List the views that a flag or segment is linked to.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	viewedInput
	paged
}) (page[viewRow], error) {
	if (in.Flag == "") == (in.Segment == "") {
		return page[viewRow]{}, badf("give flagKey or segmentKey, one of them")
	}
	of := func(ctx context.Context, p ldclient.Paging) (*ldclient.Page[ldclient.View], error) {
		return ld.Views.OfFlag(ctx, in.Project, in.Flag, p)
	}
	if in.Segment != "" {
		env, err := ld.Environments.Get(ctx, in.Project, in.Environment)
		if err != nil {
			return page[viewRow]{}, err
		}
		of = func(ctx context.Context, p ldclient.Paging) (*ldclient.Page[ldclient.View], error) {
			return ld.Views.OfSegment(ctx, in.target(), env.ID, p)
		}
	}
	got, err := manyPages(ctx, in.paged, of)
	if err != nil {
		return page[viewRow]{}, err
	}
	return pageOf(got, in.Offset, viewRowOf), nil
})

// maxLinked is how many flags or segments one call links: a person reads them all.
const maxLinked = 20

// linkInput names what is to be linked to a view or unlinked. Flags are linked in all
// environments, segments in one.
type linkInput struct {
	atView
	Flags       []string `json:"flagKeys,omitempty" alias:"flags,keys"`
	Segments    []string `json:"segmentKeys,omitempty" alias:"segments" doc:"Instead of flagKeys"`
	Environment string   `json:"environmentKey,omitempty" alias:"env,environment" default:"-"`
	because
}

func (in linkInput) target() ldclient.Target {
	at := in.atView.target()
	if len(in.Flags) == 0 {
		at.Environment = in.Environment
	}
	return at
}

// viewLinks is which of the flags or segments of a call are linked.
type viewLinks struct {
	Linked []string `json:"linked" doc:"of those named"`
}

var linkToView = update(Spec{
	Name: "link-to-view", Title: "Link to a view", Action: "linkFlagToView", Or: "linkSegmentToView",
	Doc: "Link flags, or one environment's segments, to a view; roles limited to the view then reach them.",
}, func(ctx context.Context, ld *ldclient.Client, in linkInput) (*plan[viewLinks], error) {
	return in.plan(ctx, ld, true)
})

var unlinkFromView = update(Spec{
	Name: "unlink-from-view", Title: "Unlink from a view", Action: "unlinkFlagFromView", Or: "unlinkSegmentFromView",
	Doc: "Take flags, or one environment's segments, out of a view; roles limited to it lose them.",
}, func(ctx context.Context, ld *ldclient.Client, in linkInput) (*plan[viewLinks], error) {
	return in.plan(ctx, ld, false)
})

func (in linkInput) plan(ctx context.Context, ld *ldclient.Client, link bool) (*plan[viewLinks], error) {
	keys, err := in.keys()
	if err != nil {
		return nil, err
	}
	v, err := viewNamed(ctx, ld, in.atView)
	if err != nil {
		return nil, err
	}
	kind, things, environment, where := ldclient.ViewFlags, "flags", "", ""
	if len(in.Segments) > 0 {
		env, err := ld.Environments.Get(ctx, in.Project, in.Environment)
		if err != nil {
			return nil, err
		}
		kind, things, environment, where = ldclient.ViewSegments, "segments", env.ID, " of environment "+in.Environment
	}
	linked, err := linkedAmong(ctx, ld, in.atView, kind, environment, keys)
	if err != nil {
		return nil, err
	}
	todo := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return slices.Contains(linked, key) == link })
	if link {
		if err := in.exist(ctx, ld, todo); err != nil {
			return nil, err
		}
	}
	says, action := "link %s %s%s to view %s of project %s; roles and SDK keys that are limited to this view would then reach them", map[string]string{"flags": "linkFlagToView", "segments": "linkSegmentToView"}
	if !link {
		says, action = "take %s %s%s out of view %s of project %s; roles and SDK keys that are limited to this view would no longer reach them", map[string]string{"flags": "unlinkFlagFromView", "segments": "unlinkSegmentFromView"}
	}
	p := &plan[viewLinks]{Before: &viewLinks{linked}}
	p.intent = intent{Says: fmt.Sprintf(says, things, strings.Join(todo, ", "), where, in.View, in.Project), Version: "links " + digest([]any{v.Key, linked}),
		Needs: []need{{action[things], in.atView.target()}}}
	if len(todo) == 0 {
		p.Nothing = fmt.Sprintf("all of them are linked to view %s already", in.View)
		if !link {
			p.Nothing = fmt.Sprintf("none of them is linked to view %s", in.View)
		}
		return p, nil
	}
	if len(todo) < len(keys) {
		state := "linked already"
		if !link {
			state = "not linked"
		}
		rest := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return slices.Contains(todo, key) })
		p.Notes = append(p.Notes, state+": "+keyList(rest))
	}
	p.Apply = func(ctx context.Context, how manner) (*viewLinks, error) {
		done := todo
		if !how.DryRun {
			body := ldclient.ViewLink{Comment: how.Comment}
			for _, key := range todo {
				if kind == ldclient.ViewFlags {
					body.Flags = append(body.Flags, key)
				} else {
					body.Segments = append(body.Segments, ldclient.SegmentRef{EnvironmentID: environment, Key: key})
				}
			}
			send := ld.Views.Unlink
			if link {
				send = ld.Views.Link
			}
			got, err := send(ctx, in.Project, in.Environment, in.View, body)
			if err != nil {
				return nil, err
			}
			var noticed string
			if done, noticed, err = linksMade(got, todo); err != nil {
				return nil, err
			}
			if noticed != "" {
				p.Noticed = append(p.Noticed, noticed)
			}
		}
		after := viewLinks{slices.DeleteFunc(slices.Clone(keys), func(key string) bool {
			return slices.Contains(linked, key) != !slices.Contains(done, key)
		})}
		return &after, nil
	}
	return p, nil
}

// keys are those of the call, each once.
func (in linkInput) keys() ([]string, error) {
	keys := slices.Concat(in.Flags, in.Segments)
	switch {
	case len(in.Flags) > 0 && len(in.Segments) > 0:
		return nil, badf("give flagKeys or segmentKeys, not both: they are linked one after the other")
	case len(keys) == 0:
		return nil, badf("missing flagKeys (or segmentKeys with environmentKey)")
	case len(keys) > maxLinked:
		return nil, badf("at most %d can be linked at once, got %d", maxLinked, len(keys))
	case len(in.Segments) > 0 && in.Environment == "":
		return nil, badf("missing environmentKey: a segment belongs to one environment")
	case len(in.Flags) > 0 && in.Environment != "":
		return nil, badf("environmentKey is for segments; flags are linked in all environments")
	}
	var out []string
	for _, key := range keys {
		if err := ldclient.CheckKey(key); err != nil {
			return nil, badf("%v", err)
		}
		if !slices.Contains(out, key) {
			out = append(out, key)
		}
	}
	return out, nil
}

// linkedAmong are those of some keys that are linked to a view, in the order of keys.
func linkedAmong(ctx context.Context, ld *ldclient.Client, at atView, kind, environmentID string, keys []string) ([]string, error) {
	is := make([]bool, len(keys))
	g := gather(ctx)
	for i, key := range keys {
		g.need(func(ctx context.Context) error {
			for l, err := range ldclient.All(func(offset int) (*ldclient.Page[ldclient.LinkedResource], error) {
				return ld.Views.Linked(ctx, at.Project, at.View, kind, key, ldclient.Paging{Limit: upstreamPage, Offset: offset})
			}) {
				if err != nil {
					return err
				}
				is[i] = is[i] || l.Key == key && l.EnvironmentID == environmentID
			}
			return nil
		})
	}
	_, err := g.wait()
	out := []string{}
	for i, key := range keys {
		if is[i] {
			out = append(out, key)
		}
	}
	return out, err
}

// exist refuses keys of flags or segments that there are not, and says which ones are near.
func (in linkInput) exist(ctx context.Context, ld *ldclient.Client, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	environment := in.Environment
	if len(in.Flags) > 0 { // a flag is read in one environment, since in all of them it may be large
		envs, err := ld.Environments.List(ctx, in.Project, ldclient.Paging{Limit: 1})
		if err != nil {
			return err
		}
		if len(envs.Items) > 0 {
			environment = envs.Items[0].Key
		}
	}
	g := gather(ctx)
	for _, key := range keys {
		g.need(func(ctx context.Context) error {
			if len(in.Flags) > 0 {
				_, err := ld.Flags.Get(ctx, in.Project, environment, key)
				return orOthers(err, "flag", key, func() ([]string, error) {
					return keysOn(func(f ldclient.Flag) string { return f.Key })(ld.Flags.List(ctx, in.Project, ldclient.ListFlags{Paging: ldclient.Paging{Limit: upstreamPage}}))
				})
			}
			_, err := ld.Segments.Get(ctx, in.Project, environment, key)
			return orOthers(err, "segment", key, func() ([]string, error) {
				return keysOn(func(s ldclient.Segment) string { return s.Key })(ld.Segments.List(ctx, in.Project, environment, ldclient.ListSegments{Paging: ldclient.Paging{Limit: upstreamPage}}))
			})
		})
	}
	_, err := g.wait()
	return err
}

// linksMade tells which of the keys LaunchDarkly linked or unlinked, and in words what became of the others.
func linksMade(got *ldclient.ViewLinkResult, keys []string) (done []string, noticed string, err error) {
	if got.Failed == 0 && len(got.Failures) == 0 && *got.Succeeded == len(keys) {
		return keys, "", nil
	}
	var reasons []string
	done = slices.Clone(keys)
	for _, f := range got.Failures {
		reasons = append(reasons, short(clean(f.Key), 100)+": "+short(clean(f.Message), 100))
		done = slices.DeleteFunc(done, func(key string) bool { return key == f.Key })
	}
	says := fmt.Sprintf("LaunchDarkly carried out %d of %d", *got.Succeeded, len(keys))
	if len(reasons) > 0 {
		says += " and refused " + strings.Join(ten(reasons, 0), "; ")
	}
	switch {
	case *got.Succeeded == 0 && got.Failed > 0:
		return nil, "", cannot("%s", says)
	case *got.Succeeded == 0:
		return nil, "", &ldclient.TransportError{Message: says + " and nothing of the others", Unsure: true}
	}
	if len(done) != *got.Succeeded {
		says += "; which ones is not certain: list-view-links shows what is linked"
	}
	return done, says, nil
}
