package sandbox

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"time"
)

// scheduledChange is a change to one flag in one environment that is made at a time.
type scheduledChange struct {
	ID           string
	Version      int
	Created      int64
	Resource     string // resource specifier of the flag in the environment
	By           *token
	Execution    int64
	Instructions []instruction
	Comment      string
}

func (a *Account) scheduledRoutes() {
	const at = "/projects/{project}/flags/{flag}/environments/{environment}/scheduled-changes"
	a.route("GET "+at, a.listScheduled)
	a.route("POST "+at, a.createScheduled)
	a.route("GET "+at+"/{change}", a.onScheduled(func(w http.ResponseWriter, _ *http.Request, t reviewable, s *scheduledChange) {
		send(w, http.StatusOK, a.scheduledRep(t, s))
	}))
	a.route("PATCH "+at+"/{change}", a.onScheduled(a.patchScheduled))
	a.route("DELETE "+at+"/{change}", a.onScheduled(a.deleteScheduled))
}

func (a *Account) onScheduled(do func(http.ResponseWriter, *http.Request, reviewable, *scheduledChange)) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		t, ok := a.flagAndEnvironment(w, r)
		if !ok {
			return
		}
		i := slices.IndexFunc(a.scheduled, func(s *scheduledChange) bool { return s.ID == r.PathValue("change") && s.Resource == t.spec() })
		if i < 0 {
			fail(w, http.StatusNotFound, "not_found", "Unknown scheduled change")
			return
		}
		do(w, r, t, a.scheduled[i])
	}
}

// scheduledFor are the changes that wait for a flag in an environment, in the order of their dates.
func (a *Account) scheduledFor(t reviewable) []*scheduledChange {
	var out []*scheduledChange
	for _, s := range a.scheduled {
		if s.Resource == t.spec() {
			out = append(out, s)
		}
	}
	slices.SortStableFunc(out, func(x, y *scheduledChange) int { return cmp.Compare(x.Execution, y.Execution) })
	return out
}

// foresee tells by change id which instructions would fail if all of the changes were made in turn.
func (a *Account) foresee(t reviewable, changes []*scheduledChange) map[string][]conflictRep {
	out := map[string][]conflictRep{}
	a.pretend(func() {
		f := t.f
		for _, s := range changes {
			for _, in := range s.Instructions {
				g, _, err := a.applyToFlag(t.p, f, t.e.Key, []instruction{in})
				if err != nil {
					out[s.ID] = append(out[s.ID], conflictRep{in, err.message})
					continue
				}
				f = g
			}
		}
	})
	return out
}

func (a *Account) scheduledRep(t reviewable, s *scheduledChange) map[string]any {
	by := ""
	if s.By.Member != nil {
		by = s.By.Member.ID
	}
	return map[string]any{
		"_id": s.ID, "_version": s.Version, "_creationDate": s.Created, "_maintainerId": by, "executionDate": s.Execution,
		"instructions": s.Instructions, "conflicts": filled(a.foresee(t, a.scheduledFor(t))[s.ID]),
		"_links": links{"self": linkTo("projects", t.p.Key, "flags", t.f.Key, "environments", t.e.Key, "scheduled-changes", s.ID)},
	}
}

func (a *Account) listScheduled(w http.ResponseWriter, r *http.Request) {
	t, ok := a.flagAndEnvironment(w, r)
	if !ok {
		return
	}
	items := []any{}
	for _, s := range a.scheduledFor(t) {
		items = append(items, a.scheduledRep(t, s))
	}
	send(w, http.StatusOK, map[string]any{"items": items, "_links": links{"self": requestLink(r, nil)}})
}

func (a *Account) createScheduled(w http.ResponseWriter, r *http.Request) {
	t, ok := a.flagAndEnvironment(w, r)
	if !ok {
		return
	}
	var in struct {
		Comment       string        `json:"comment"`
		ExecutionDate int64         `json:"executionDate"`
		Instructions  []instruction `json:"instructions"`
	}
	if err := decodeBody(r, &in); err != nil {
		badRequest(w, err)
		return
	}
	s := &scheduledChange{Version: 1, Resource: t.spec(), By: a.caller(r), Execution: in.ExecutionDate, Instructions: in.Instructions, Comment: in.Comment}
	err := a.checkScheduled(t, nil, s)
	if err == nil {
		err = a.scheduleApproval(t, s.Instructions)
	}
	if err == nil && r.URL.Query().Get("ignoreConflicts") != "true" {
		err = a.breaksScheduled(t, nil, s)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	s.ID, s.Created = a.objectID(), a.tick()
	a.scheduled = append(a.scheduled, s)
	a.record(r, a.scheduleChange(t, "scheduled changes to", in.Comment))
	send(w, http.StatusCreated, a.scheduledRep(t, s))
}

// checkScheduled checks a change that would take the place of old, or come anew where old is nil.
func (a *Account) checkScheduled(t reviewable, old, s *scheduledChange) *apiError {
	if s.Execution <= a.now().UnixMilli() {
		return invalid("executionDate must be in the future")
	}
	if len(s.Instructions) == 0 {
		return invalid("instructions must contain at least one instruction")
	}
	var err *apiError
	a.pretend(func() { // what is scheduled before it may make it possible
		f := t.f
		for _, earlier := range a.scheduledFor(t) {
			if earlier != old && earlier.Execution <= s.Execution {
				if g, _, e := a.applyToFlag(t.p, f, t.e.Key, earlier.Instructions); e == nil {
					f = g
				}
			}
		}
		_, _, err = a.applyToFlag(t.p, f, t.e.Key, s.Instructions)
	})
	return err
}

// breaksScheduled refuses a change after which another one that is scheduled would fail.
func (a *Account) breaksScheduled(t reviewable, old, s *scheduledChange) *apiError {
	have := a.scheduledFor(t)
	before := a.foresee(t, have)
	next := append(slices.DeleteFunc(slices.Clone(have), func(x *scheduledChange) bool { return x == old }), s)
	slices.SortStableFunc(next, func(x, y *scheduledChange) int { return cmp.Compare(x.Execution, y.Execution) })
	after := a.foresee(t, next)
	for _, x := range have {
		if x != old && len(after[x.ID]) > len(before[x.ID]) {
			return conflict("the change conflicts with scheduled change '%s': %s", x.ID, after[x.ID][0].Reason)
		}
	}
	return nil
}

// scheduleApproval refuses to schedule what may not be changed without an approval.
func (a *Account) scheduleApproval(t reviewable, instructions []instruction) *apiError {
	var err *apiError
	a.pretend(func() {
		for _, in := range instructions {
			_, actions, _ := a.applyToFlag(t.p, t.f, t.e.Key, []instruction{in})
			if p, _ := in.params(); len(actions) == 0 && flagKinds()[p.Kind].action != "" {
				actions = []string{flagKinds()[p.Kind].action}
			}
			if err = a.flagApproval(t.e, t.f, actions); err != nil {
				return
			}
		}
	})
	return err
}

// editScheduled returns s as instructions of its own kinds would leave it, or whether they delete it.
func (a *Account) editScheduled(t reviewable, s *scheduledChange, instructions []instruction) (next *scheduledChange, gone bool, _ *apiError) {
	edited := *s
	for _, raw := range instructions {
		in, err := raw.params()
		if err != nil {
			return nil, false, err
		}
		switch in.Kind {
		case "deleteScheduledChange":
			gone = true
		case "replaceScheduledChangesInstructions":
			if json.Unmarshal(in.Value, &edited.Instructions) != nil {
				return nil, false, invalid("instruction kind '%s': value must be a list of instructions", in.Kind)
			}
		case "updateScheduledChangesExecutionDate":
			if json.Unmarshal(in.Value, &edited.Execution) != nil {
				return nil, false, invalid("instruction kind '%s': value must be a time in epoch milliseconds", in.Kind)
			}
		default:
			return nil, false, invalid("unknown instruction kind '%s'", in.Kind)
		}
	}
	if gone {
		return nil, true, nil
	}
	return &edited, false, a.checkScheduled(t, s, &edited)
}

// putScheduled puts what editScheduled returned in s's place.
func (a *Account) putScheduled(r *http.Request, s, next *scheduledChange, gone bool, comment string) {
	t, err := a.reviewable(s.Resource)
	if gone {
		a.scheduled = slices.DeleteFunc(a.scheduled, func(other *scheduledChange) bool { return other == s })
	} else {
		*s = *next
		s.Version++
	}
	a.tick()
	if err == nil {
		a.record(r, a.scheduleChange(t, "updated the scheduled changes of", comment))
	}
}

func (a *Account) patchScheduled(w http.ResponseWriter, r *http.Request, t reviewable, s *scheduledChange) {
	body, err := readPatch(r)
	if err == nil && !body.Semantic {
		err = invalid("a scheduled change takes a semantic patch")
	}
	var next *scheduledChange
	gone := false
	if err == nil {
		next, gone, err = a.editScheduled(t, s, body.Instructions)
	}
	if err == nil {
		what := s
		if next != nil {
			what = next
		}
		err = a.scheduleApproval(t, what.Instructions)
	}
	if err == nil && !gone && r.URL.Query().Get("ignoreConflicts") != "true" {
		err = a.breaksScheduled(t, s, next)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	rep := a.scheduledRep(t, s)
	a.putScheduled(r, s, next, gone, body.Comment)
	if !gone {
		rep = a.scheduledRep(t, s)
	}
	send(w, http.StatusOK, rep)
}

func (a *Account) deleteScheduled(w http.ResponseWriter, r *http.Request, t reviewable, s *scheduledChange) {
	if err := a.scheduleApproval(t, s.Instructions); err != nil {
		refuse(w, err)
		return
	}
	a.putScheduled(r, s, nil, true, "")
	send(w, http.StatusNoContent, nil)
}

func (a *Account) scheduleChange(t reviewable, verb, comment string) change {
	return change{Kind: "flag", Name: t.f.Name, Resource: t.spec(), Actions: []string{"updateScheduledChanges"}, Verb: verb,
		Text: "* Changed what is scheduled\n", Comment: comment, ParentName: t.p.Name, Parent: t.p.spec()}
}

// runDue makes the changes whose time has come, at the next request after it.
func (a *Account) runDue() {
	now := a.now().UnixMilli()
	type due struct {
		at  int64
		run func()
	}
	var list []due
	for _, s := range a.scheduled {
		if s.Execution <= now {
			list = append(list, due{s.Execution, func() {
				if t, err := a.reviewable(s.Resource); err == nil {
					_ = a.runAs(s.By, func() *apiError { return a.putNow(t, s.Instructions, s.Comment) }) // one that no longer fits is dropped
				}
			}})
		}
	}
	a.scheduled = slices.DeleteFunc(a.scheduled, func(s *scheduledChange) bool { return s.Execution <= now })
	for _, q := range a.requests {
		if q.Status == "scheduled" && q.Execution <= now {
			list = append(list, due{q.Execution, func() {
				q.Status, q.Version = "failed", q.Version+1
				t, err := a.reviewable(q.Resource)
				if err == nil && a.runAs(q.AppliedBy, func() *apiError { return a.putNow(t, q.Instructions, q.Comment) }) == nil {
					q.Status = "completed"
				}
			}})
		}
	}
	slices.SortStableFunc(list, func(x, y due) int { return cmp.Compare(x.at, y.at) })
	for _, d := range list {
		d.run()
	}
}

// runAs runs do in the name of whoever asked for it.
func (a *Account) runAs(who *token, do func() *apiError) *apiError {
	defer func(was *token) { a.actor = was }(a.actor)
	a.actor = who
	return do()
}

func (a *Account) putNow(t reviewable, instructions []instruction, comment string) *apiError {
	put, err := a.outcome(t, instructions, comment)
	if err == nil {
		put(nil)
	}
	return err
}

// waitingFlag is the flag that comes with approval requests, scheduled changes and triggers.
const waitingFlag = "dark-mode"

// seedPending gives the shop a reviewer, and what waits in production and in test. Its ids are
// counted apart, so that they move no others.
func (a *Account) seedPending(shop *project, ago func(time.Duration) int64) {
	ids := a.ids
	a.ids = 1 << 40
	defer func() { a.ids = ids }()
	alan, ada := &token{
		ID: a.objectID(), Name: "Alan's laptop", Value: ReviewerToken, Ending: ReviewerToken[len(ReviewerToken)-4:], Role: "writer", Member: a.members[4],
		Created: ago(200 * day), LastUsed: ago(2 * day),
	}, a.tokens[0]
	a.tokens = append(a.tokens, alan)
	f := shop.flag(waitingFlag)
	if f == nil {
		return
	}
	for _, key := range []string{"production", "test"} {
		t := reviewable{p: shop, e: shop.env(key), f: f}
		do := []instruction{{"kind": "turnFlagOn"}}
		if f.Environments[key].On {
			do = []instruction{{"kind": "turnFlagOff"}}
		}
		a.requests = append(a.requests, &approvalRequest{
			ID: a.objectID(), Version: 2, Created: ago(30 * time.Hour), Resource: t.spec(), Requestor: alan, Status: "pending",
			Description: "Dark mode for everyone who asked", Notify: []string{a.members[1].ID}, Instructions: do,
			Reviews: []review{{ID: a.objectID(), Kind: "approve", CreationDate: ago(28 * time.Hour), Comment: "Looks good", MemberID: a.members[1].ID}},
		}, &approvalRequest{
			ID: a.objectID(), Version: 1, Created: ago(20 * time.Hour), Resource: t.spec(), Requestor: alan, Status: "pending",
			Description: "Serve dark mode when targeting is off", Notify: []string{a.members[1].ID, a.members[3].ID},
			Instructions: []instruction{{"kind": "updateOffVariation", "variationId": f.Variations[0].ID}},
		})
		a.scheduled = append(a.scheduled, &scheduledChange{
			ID: a.objectID(), Version: 1, Created: ago(26 * time.Hour), Resource: t.spec(), By: ada, Execution: ago(-30 * day),
			Instructions: do, Comment: "With the spring release",
		})
		a.triggers = append(a.triggers, &trigger{
			ID: a.objectID(), Version: 1, Created: ago(90 * day), Resource: t.spec(), By: ada, Enabled: true, Integration: "generic-trigger",
			Action: "turnFlagOff", Secret: a.uuid(), Last: ago(40 * day), Count: 2,
		})
	}
}
