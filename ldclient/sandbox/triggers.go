package sandbox

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
)

// trigger is an address that turns a flag on or off when something calls it.
type trigger struct {
	ID          string
	Version     int
	Created     int64
	Resource    string // resource specifier of the flag in the environment
	By          *token
	Enabled     bool
	Integration string
	Action      string // turnFlagOn or turnFlagOff
	Secret      string // the last part of its URL
	Last        int64
	Count       int
}

var triggerIntegrations = []string{"generic-trigger", "datadog", "dynatrace", "dynatrace-cloud-automation", "honeycomb", "new-relic-apm", "signalfx"}

func (a *Account) triggerRoutes() {
	const at = "/flags/{project}/{flag}/triggers/{environment}"
	a.route("GET "+at, a.listTriggers)
	a.route("POST "+at, a.createTrigger)
	a.route("GET "+at+"/{trigger}", a.onTrigger(func(w http.ResponseWriter, _ *http.Request, t reviewable, x *trigger) {
		send(w, http.StatusOK, x.rep(t, false))
	}))
	a.route("PATCH "+at+"/{trigger}", a.onTrigger(a.patchTrigger))
	a.route("DELETE "+at+"/{trigger}", a.onTrigger(a.deleteTrigger))
}

func (a *Account) onTrigger(do func(http.ResponseWriter, *http.Request, reviewable, *trigger)) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		t, ok := a.flagAndEnvironment(w, r)
		if !ok {
			return
		}
		i := slices.IndexFunc(a.triggers, func(x *trigger) bool { return x.ID == r.PathValue("trigger") && x.Resource == t.spec() })
		if i < 0 {
			fail(w, http.StatusNotFound, "not_found", "Unknown trigger")
			return
		}
		do(w, r, t, a.triggers[i])
	}
}

// rep shows the whole URL only at the moment when it is made.
func (x *trigger) rep(t reviewable, whole bool) map[string]any {
	secret := "****"
	if whole {
		secret = x.Secret
	}
	rep := map[string]any{
		"_id": x.ID, "_version": x.Version, "_creationDate": x.Created, "enabled": x.Enabled, "_integrationKey": x.Integration,
		"instructions": []instruction{{"kind": x.Action}}, "_triggerCount": x.Count, "_recentTriggerBodies": []any{},
		"triggerURL": "https://app.launchdarkly.com/webhook/triggers/" + url.PathEscape(x.ID) + "/" + secret,
		"_links":     links{"self": linkTo("flags", t.p.Key, t.f.Key, "triggers", t.e.Key, x.ID)},
	}
	if m := x.By.Member; m != nil {
		rep["_maintainerId"], rep["_maintainer"] = m.ID, m.summary()
	}
	if x.Last > 0 {
		rep["_lastTriggeredAt"] = x.Last
	}
	return rep
}

func (a *Account) listTriggers(w http.ResponseWriter, r *http.Request) {
	t, ok := a.flagAndEnvironment(w, r)
	if !ok {
		return
	}
	items := []any{}
	for _, x := range a.triggers {
		if x.Resource == t.spec() {
			items = append(items, x.rep(t, false))
		}
	}
	send(w, http.StatusOK, map[string]any{"items": items, "_links": links{"self": requestLink(r, nil)}})
}

// triggerAction reads the one instruction that a trigger carries out.
func triggerAction(list []instruction) (string, *apiError) {
	if len(list) == 1 {
		in, err := list[0].params()
		if err == nil && (in.Kind == "turnFlagOn" || in.Kind == "turnFlagOff") {
			return in.Kind, nil
		}
	}
	return "", invalid("instructions must hold either turnFlagOn or turnFlagOff")
}

func (a *Account) createTrigger(w http.ResponseWriter, r *http.Request) {
	t, ok := a.flagAndEnvironment(w, r)
	if !ok {
		return
	}
	var in struct {
		Comment        string
		IntegrationKey string `json:"integrationKey"`
		Instructions   []instruction
	}
	if err := decodeBody(r, &in); err != nil {
		badRequest(w, err)
		return
	}
	action, err := triggerAction(in.Instructions)
	if !slices.Contains(triggerIntegrations, in.IntegrationKey) {
		err = invalid("unknown integrationKey '%s'", in.IntegrationKey)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	x := &trigger{ID: a.objectID(), Version: 1, Created: a.tick(), Resource: t.spec(), By: a.caller(r), Enabled: true,
		Integration: in.IntegrationKey, Action: action, Secret: a.uuid()}
	a.triggers = append(a.triggers, x)
	a.record(r, triggerChange(t, "createTriggers", "created a trigger for", in.Comment))
	send(w, http.StatusCreated, x.rep(t, true))
}

func (a *Account) patchTrigger(w http.ResponseWriter, r *http.Request, t reviewable, x *trigger) {
	body, err := readPatch(r)
	if err == nil && !body.Semantic {
		err = invalid("a trigger takes a semantic patch")
	}
	next, cycle := *x, false
	for _, raw := range body.Instructions {
		in, wrong := raw.params()
		if err = cmp.Or(err, wrong); err != nil {
			break
		}
		switch in.Kind {
		case "enableTrigger", "disableTrigger":
			next.Enabled = in.Kind == "enableTrigger"
		case "cycleTriggerUrl":
			cycle = true
		case "replaceTriggerActionInstructions":
			var list []instruction
			if json.Unmarshal(in.Value, &list) != nil {
				list = nil
			}
			next.Action, err = triggerAction(list)
		default:
			err = invalid("unknown instruction kind '%s'", in.Kind)
		}
	}
	if err != nil {
		refuse(w, err)
		return
	}
	if cycle {
		next.Secret = a.uuid()
	}
	if next != *x {
		*x = next
		x.Version++
		a.tick()
		a.record(r, triggerChange(t, "updateTriggers", "updated a trigger of", body.Comment))
	}
	send(w, http.StatusOK, x.rep(t, cycle))
}

func (a *Account) deleteTrigger(w http.ResponseWriter, r *http.Request, t reviewable, x *trigger) {
	a.triggers = slices.DeleteFunc(a.triggers, func(other *trigger) bool { return other == x })
	a.tick()
	a.record(r, triggerChange(t, "deleteTriggers", "deleted a trigger of", ""))
	send(w, http.StatusNoContent, nil)
}

func triggerChange(t reviewable, action, verb, comment string) change {
	return change{Kind: "flag", Name: t.f.Name, Resource: t.spec(), Actions: []string{action}, Verb: verb,
		Text: "* Changed the triggers\n", Comment: comment, ParentName: t.p.Name, Parent: t.p.spec()}
}
