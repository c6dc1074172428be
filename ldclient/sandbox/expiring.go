package sandbox

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
)

// expiringTarget is a targeted context that leaves its flag variation or segment at a set time.
type expiringTarget struct {
	ID          string     `json:"_id"`
	Version     int        `json:"_version"`
	Expires     int64      `json:"expirationDate"`
	ContextKind string     `json:"contextKind"`
	ContextKey  string     `json:"contextKey"`
	TargetType  string     `json:"targetType,omitempty"`  // of a segment: included or excluded
	VariationID string     `json:"variationId,omitempty"` // of a flag
	Of          resourceID `json:"_resourceId"`

	leave func(*expiringTarget) // takes the context off its target
}

type resourceID struct {
	ProjectKey     string `json:"projectKey"`
	EnvironmentKey string `json:"environmentKey"`
	Key            string `json:"key"`
	Kind           string `json:"kind"` // flag or segment
}

// expire takes off their targets the contexts whose time has come.
func (a *Account) expire() {
	now := a.now().UnixMilli()
	due := slices.DeleteFunc(slices.Clone(a.expiring), func(t *expiringTarget) bool { return t.Expires > now })
	if len(due) == 0 {
		return
	}
	a.expiring = slices.DeleteFunc(a.expiring, func(t *expiringTarget) bool { return t.Expires <= now })
	for _, t := range due {
		t.leave(t)
	}
}

// expiringOn is what the two kinds of resource with expiring targets tell of themselves.
type expiringOn struct {
	resourceID
	targeted func(*expiringTarget) bool
	leave    func(*expiringTarget)
	change   func(comment string) change
}

// expiringOf lists a resource's expiring targets, the next one first. One whose context is targeted no longer is dropped.
func (a *Account) expiringOf(on expiringOn) []*expiringTarget {
	a.expiring = slices.DeleteFunc(a.expiring, func(t *expiringTarget) bool { return t.Of == on.resourceID && !on.targeted(t) })
	out := []*expiringTarget{}
	for _, t := range a.expiring {
		if t.Of == on.resourceID {
			out = append(out, t)
		}
	}
	slices.SortStableFunc(out, func(x, y *expiringTarget) int { return cmp.Compare(x.Expires, y.Expires) })
	return out
}

func (a *Account) sendExpiring(w http.ResponseWriter, r *http.Request, on expiringOn) {
	send(w, http.StatusOK, map[string]any{"items": a.expiringOf(on), "_links": links{"self": requestLink(r, nil)}})
}

type expiringError struct {
	Index   int    `json:"instructionIndex"`
	Message string `json:"message"`
}

// patchExpiring carries out each instruction by itself: those that fail are told in an answer of 200.
func (a *Account) patchExpiring(w http.ResponseWriter, r *http.Request, on expiringOn) {
	body, err := readPatch(r)
	if err == nil && !body.Semantic {
		err = invalidPatch("expiring targets take a semantic patch only")
	}
	if err != nil {
		refuse(w, err)
		return
	}
	failed := []expiringError{}
	for i, raw := range body.Instructions {
		if message := a.editExpiring(on, raw); message != "" {
			failed = append(failed, expiringError{i, message})
		}
	}
	if len(failed) < len(body.Instructions) {
		a.tick()
		a.record(r, on.change(body.Comment))
	}
	send(w, http.StatusOK, map[string]any{
		"items": a.expiringOf(on), "_links": links{"self": requestLink(r, nil)}, "errors": failed,
		"totalInstructions": len(body.Instructions), "failedInstructions": len(failed), "successfulInstructions": len(body.Instructions) - len(failed),
	})
}

// editExpiring carries out one instruction, or says why it cannot.
func (a *Account) editExpiring(on expiringOn, raw instruction) string {
	var in struct {
		Kind, ContextKey, ContextKind, VariationID, TargetType string
		Value                                                  int64
		Version                                                *int
	}
	if err := json.Unmarshal(jsonValue(raw), &in); err != nil {
		return "invalid instruction: " + err.Error()
	}
	t := &expiringTarget{
		Version: 1, Expires: in.Value, ContextKind: in.ContextKind, ContextKey: in.ContextKey,
		TargetType: in.TargetType, VariationID: in.VariationID, Of: on.resourceID, leave: on.leave,
	}
	at := slices.IndexFunc(a.expiring, func(x *expiringTarget) bool {
		return x.Of == t.Of && x.ContextKind == t.ContextKind && x.ContextKey == t.ContextKey && x.TargetType == t.TargetType
	})
	context := fmt.Sprintf("%s '%s'", t.ContextKind, t.ContextKey)
	switch adds := in.Kind == "addExpiringTarget"; {
	case !adds && in.Kind != "updateExpiringTarget" && in.Kind != "removeExpiringTarget":
		return fmt.Sprintf("unknown instruction kind '%s'", in.Kind)
	case t.ContextKey == "" || t.ContextKind == "":
		return "contextKey and contextKind are required"
	case !on.targeted(t):
		return context + " is not individually targeted there"
	case adds && at >= 0:
		return context + " has an expiration date already"
	case !adds && (at < 0 || a.expiring[at].VariationID != t.VariationID):
		return context + " has no expiration date"
	case !adds && in.Version != nil && *in.Version != a.expiring[at].Version:
		return fmt.Sprintf("the expiring target's version is %d, not %d", a.expiring[at].Version, *in.Version)
	case in.Kind == "removeExpiringTarget":
		a.expiring = slices.Delete(a.expiring, at, at+1)
	case t.Expires <= a.now().UnixMilli():
		return "value must be a time in the future, in Unix milliseconds"
	case adds:
		t.ID = a.objectID()
		a.expiring = append(a.expiring, t)
	default:
		t.ID, t.Version = a.expiring[at].ID, a.expiring[at].Version+1
		a.expiring[at] = t
	}
	return ""
}

func (a *Account) expiringFlagRoutes() {
	a.route("GET /flags/{project}/{flag}/expiring-targets/{environment}", func(w http.ResponseWriter, r *http.Request) {
		if on, ok := a.expiringOnFlag(w, r); ok {
			a.sendExpiring(w, r, on)
		}
	})
	a.route("PATCH /flags/{project}/{flag}/expiring-targets/{environment}", func(w http.ResponseWriter, r *http.Request) {
		if on, ok := a.expiringOnFlag(w, r); ok {
			a.patchExpiring(w, r, on)
		}
	})
}

func (a *Account) expiringOnFlag(w http.ResponseWriter, r *http.Request) (expiringOn, bool) {
	p, f := a.flag(w, r)
	if f == nil {
		return expiringOn{}, false
	}
	e := a.environment(w, p, r.PathValue("environment"))
	if e == nil {
		return expiringOn{}, false
	}
	return expiringOn{
		resourceID: resourceID{p.Key, e.Key, f.Key, "flag"},
		targeted: func(t *expiringTarget) bool {
			return slices.ContainsFunc(*f.Environments[e.Key].targetList(t.ContextKind), func(has flagTarget) bool {
				return has.ContextKind == t.ContextKind && has.Variation == f.variationIndex(t.VariationID) && slices.Contains(has.Values, t.ContextKey)
			})
		},
		leave: func(t *expiringTarget) { a.leaveFlag(p, f, t) },
		change: func(comment string) change {
			c := a.flagChange(p, f, f, []string{"updateExpiringTargets"}, comment)
			c.Resource = p.spec() + ":env/" + e.Key + ":flag/" + f.Key
			return c
		},
	}, true
}

// leaveFlag takes a context off a flag's individual targets, as LaunchDarkly does by itself when the time has come.
func (a *Account) leaveFlag(p *project, f *flag, t *expiringTarget) {
	if p.flag(f.Key) != f || p.env(t.Of.EnvironmentKey) == nil {
		return // deleted since
	}
	g := f.clone()
	list := g.Environments[t.Of.EnvironmentKey].targetList(t.ContextKind)
	for n := range *list {
		has := &(*list)[n]
		if has.ContextKind == t.ContextKind && has.Variation == f.variationIndex(t.VariationID) {
			has.Values = slices.DeleteFunc(has.Values, func(key string) bool { return key == t.ContextKey })
		}
	}
	dropEmptyTargets(list)
	if a.finishFlag(p, f, g) != nil || g.Version == f.Version {
		return
	}
	c := a.flagChange(p, f, g, []string{"updateTargets"}, "")
	a.commitFlag(p, f, g, nil)
	a.record(nil, c)
}
