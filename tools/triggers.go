package tools

import (
	"context"
	"fmt"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

var triggers = Toolset{
	Name: "triggers", Doc: "Let outside tools turn a flag on or off by calling a URL.",
	Tools: []Tool{listFlagTriggers, createFlagTrigger, updateFlagTrigger, deleteFlagTrigger},
}

// triggerView is one trigger, without its URL, which is a secret.
type triggerView struct {
	ID            string `json:"_id,omitempty"`
	Action        string `json:"action" doc:"turnFlagOn or turnFlagOff"`
	Enabled       bool   `json:"enabled"`
	Integration   string `json:"integrationKey"`
	Maintainer    string `json:"maintainer,omitempty"`
	LastTriggered string `json:"lastTriggered,omitempty"`
	Count         int    `json:"triggerCount,omitempty"`
	Version       int    `json:"version,omitempty"`
}

func triggerViewOf(t ldclient.Trigger) triggerView {
	return triggerView{t.ID, t.Action(), t.Enabled, t.Integration, t.Maintainer.String(), t.LastTriggered.String(), t.Count, t.Version}
}

func (v triggerView) words(flag string) string {
	return "turn flag " + flag + map[string]string{"turnFlagOn": " on", "turnFlagOff": " off"}[v.Action]
}

var listFlagTriggers = read(Spec{
	Name: "list-flag-triggers", Title: "List a flag's triggers",
	Doc: "List a flag's triggers: what each does, for which integration, and how often it was called.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	inFlagEnvironment
	paged
}) (page[triggerView], error) {
	all, err := ld.Triggers.List(ctx, in.target())
	if err != nil {
		return page[triggerView]{}, err
	}
	return pageWithin(all, in.paged, triggerViewOf), nil
})

// urlOnPage says how a person gets to see a trigger's URL, which LaunchDarkly shows only when it is new.
func urlOnPage(ld *ldclient.Client, at ldclient.Target) string {
	return "the trigger's URL is a secret that is not shown here: a person resets it in the flag's settings on LaunchDarkly's page (" + pageURL(ld, at) + "), which then shows it once"
}

var createFlagTrigger = create(Spec{
	Name: "create-flag-trigger", Title: "Create a trigger", Action: "createTriggers",
	Doc: "Create a trigger: a URL that turns a flag on or off when an outside tool calls it. The reply says where a person reads it.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atFlagEnvironment
	Do          string `json:"action" jsonschema:"enum=turnFlagOn,enum=turnFlagOff"`
	Integration string `json:"integrationKey,omitempty" alias:"integration" jsonschema:"enum=generic-trigger,enum=datadog,enum=dynatrace,enum=honeycomb,enum=new-relic-apm,enum=signalfx" default:"generic-trigger"`
	because
}) (*plan[triggerView], error) {
	f, c, err := flagIn(ctx, ld, in.target())
	if err != nil {
		return nil, err
	}
	next := triggerView{Action: in.Do, Enabled: true, Integration: in.Integration}
	return &plan[triggerView]{intent: intent{
		Version: fmt.Sprintf("environment %d", c.Version), Notes: []string{urlOnPage(ld, in.target())}, Tags: f.Tags, PastReview: true,
		Says: fmt.Sprintf("create a URL with which %s can %s in %s of project %s, past protection and confirmation", in.Integration, next.words(in.Flag), in.Environment, in.Project),
	}, Apply: func(ctx context.Context, how manner) (*triggerView, error) {
		if !how.DryRun {
			got, err := ld.Triggers.Create(ctx, in.target(), in.Integration, in.Do, how.Comment)
			if err != nil {
				return nil, err
			}
			next = triggerViewOf(*got)
		}
		return &next, nil
	}}, nil
})

type atTrigger struct {
	atFlagEnvironment
	ID string `json:"id" alias:"triggerId,_id"`
}

func triggerIn(ctx context.Context, ld *ldclient.Client, in atTrigger) (triggerView, error) {
	t, err := ld.Triggers.Get(ctx, in.target(), in.ID)
	if ldclient.IsNotFound(err) {
		all, listed := ld.Triggers.List(ctx, in.target())
		if listed != nil { // the flag or the environment is not there
			return triggerView{}, listed
		}
		err = absent("trigger", in.ID, keysOf(all, func(t ldclient.Trigger) string { return t.ID }))
	}
	if err != nil {
		return triggerView{}, err
	}
	return triggerViewOf(*t), nil
}

var updateFlagTrigger = update(Spec{
	Name: "update-flag-trigger", Title: "Change a trigger", Action: "updateTriggers", Additive: true,
	Doc: "Enable or disable a flag's trigger, change what it does, or give it a new URL, after which the old one stops working.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atTrigger
	Enabled *bool  `json:"enabled,omitempty" alias:"on"`
	Do      string `json:"action,omitempty" jsonschema:"enum=turnFlagOn,enum=turnFlagOff"`
	Cycle   bool   `json:"cycleUrl,omitempty" alias:"cycleTriggerUrl" doc:"Make a new URL"`
	because
}) (*plan[triggerView], error) {
	if in.Enabled == nil && in.Do == "" && !in.Cycle {
		return nil, badf("give enabled, action or cycleUrl: what is to be different")
	}
	was, err := triggerIn(ctx, ld, in.atTrigger)
	if err != nil {
		return nil, err
	}
	f, _, err := flagIn(ctx, ld, in.target())
	if err != nil {
		return nil, err
	}
	next := was
	var do []ldclient.Instruction
	var says []string
	if in.Enabled != nil && *in.Enabled != was.Enabled {
		next.Enabled = *in.Enabled
		do = append(do, ldclient.EnableTrigger(*in.Enabled))
		says = append(says, map[bool]string{true: "enable", false: "disable"}[*in.Enabled]+" it")
	}
	if in.Do != "" && in.Do != was.Action {
		next.Action = in.Do
		do = append(do, ldclient.SetTriggerAction(in.Do))
		says = append(says, fmt.Sprintf("let it %s instead of %s", next.words(in.Flag), was.words(in.Flag)))
	}
	p := &plan[triggerView]{Before: &was}
	if in.Cycle {
		do = append(do, ldclient.CycleTriggerURL())
		says = append(says, "give it a new URL, so that calls of the old one fail")
		p.Notes = append(p.Notes, urlOnPage(ld, in.target()))
	}
	p.intent = intent{Version: fmt.Sprintf("trigger %d", was.Version), Notes: p.Notes,
		Says: fmt.Sprintf("change trigger %s of flag %s in %s of project %s: %s", was.ID, in.Flag, in.Environment, in.Project, strings.Join(says, "; "))}
	p.Tags, p.PastReview = f.Tags, next.Enabled && (!was.Enabled || next.Action != was.Action)
	if len(do) == 0 {
		p.Nothing = "the trigger is like this already"
	}
	p.Apply = func(ctx context.Context, how manner) (*triggerView, error) {
		if !how.DryRun {
			got, err := ld.Triggers.Update(ctx, in.target(), was.ID, how.Comment, do...)
			if err != nil {
				return nil, err
			}
			next = triggerViewOf(*got)
		}
		return &next, nil
	}
	return p, nil
})

var deleteFlagTrigger = remove(Spec{
	Name: "delete-flag-trigger", Title: "Delete a trigger", Action: "deleteTriggers",
	Doc: "Delete a flag's trigger for good. Calls of its URL then fail.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atTrigger
	because
}) (*plan[triggerView], error) {
	was, err := triggerIn(ctx, ld, in.atTrigger)
	if err != nil {
		return nil, err
	}
	return &plan[triggerView]{Before: &was, intent: intent{
		Version: fmt.Sprintf("trigger %d", was.Version),
		Says: fmt.Sprintf("delete trigger %s of flag %s in %s of project %s, with which %s can %s and which was called %d times",
			was.ID, in.Flag, in.Environment, in.Project, word(was.Integration), was.words(in.Flag), was.Count),
	}, Apply: func(ctx context.Context, how manner) (*triggerView, error) {
		if how.DryRun {
			return nil, nil
		}
		return nil, ld.Triggers.Delete(ctx, in.target(), was.ID)
	}}, nil
})
