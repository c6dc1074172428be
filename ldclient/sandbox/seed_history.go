package sandbox

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// step makes one instruction for a flag as it is when the step's turn comes.
type step func(p *project, f *flag) instruction

func kind(name string) step {
	return func(*project, *flag) instruction { return instruction{"kind": name} }
}

func turnOn(*project, *flag) instruction { return instruction{"kind": "turnFlagOn"} }

func turnOff(*project, *flag) instruction { return instruction{"kind": "turnFlagOff"} }

func withValue(kind string, value any) step {
	return func(*project, *flag) instruction { return instruction{"kind": kind, "value": value} }
}

func addTags(tags ...string) step {
	return func(*project, *flag) instruction { return instruction{"kind": "addTags", "values": tags} }
}

func serveAll(variation int) step {
	return func(_ *project, f *flag) instruction {
		return instruction{"kind": "updateFallthroughVariationOrRollout", "variationId": f.Variations[variation].ID}
	}
}

// rollTo serves each variation to a percentage.
func rollTo(percents ...int) step {
	return func(_ *project, f *flag) instruction {
		weights := map[string]int{}
		for i, p := range percents {
			weights[f.Variations[i].ID] = p * 1000
		}
		return instruction{"kind": "updateFallthroughVariationOrRollout", "rolloutWeights": weights}
	}
}

func addRule(variation int, description string, clauses ...clause) step {
	return func(_ *project, f *flag) instruction {
		return instruction{"kind": "addRule", "variationId": f.Variations[variation].ID, "description": description, "clauses": clauses}
	}
}

func inSegment(key string) clause {
	return clause{Attribute: "segmentMatch", Op: "segmentMatch", Values: rawValues(key)}
}

func setTargets(kind string, variation int, contextKind string, keys ...string) step {
	return func(_ *project, f *flag) instruction {
		return instruction{"kind": kind, "variationId": f.Variations[variation].ID, "contextKind": contextKind, "values": keys}
	}
}

func prerequisiteOn(key string, variation int) step {
	return func(p *project, _ *flag) instruction {
		return instruction{"kind": "addPrerequisite", "key": key, "variationId": p.flag(key).Variations[variation].ID}
	}
}

// flagEvent is one change to a flag.
type flagEvent struct {
	ago          float64 // days
	who          string  // a member's first name, who uses the web page; "laptop" and "pipeline" are tokens
	env, flag    string
	comment      string
	instructions []step
}

func shopHistory() []flagEvent {
	return []flagEvent{
		{29.6, "Ada", "staging", "dark-mode", "", []step{turnOn}},
		{29.1, "Alan", "production", "search-ranking", "Start small", []step{rollTo(90, 5, 5), turnOn}},
		{28.4, "Ada", "production", "new-checkout", "Payments v2 has to be on", []step{prerequisiteOn("payments-v2", 0)}},
		{28.3, "Ada", "production", "new-checkout", "Our friendly testers first", []step{addRule(0, "Beta testers", inSegment("beta-testers"))}},
		{27.9, "Ada", "production", "new-checkout", "", []step{serveAll(1), turnOn}},
		{27.2, "Katherine", "", "image-quality", "", []step{withValue("updateDescription", "JPEG quality of product pictures")}},
		{26.5, "Alan", "production", "search-ranking", "No complaints so far", []step{rollTo(70, 15, 15)}},
		{26.1, "Mary", "staging", "loyalty-points", "", []step{setTargets("addTargets", 0, "user", "user-1003", "user-1008")}},
		{25.3, "Margaret", "", "fraud-check", "Security asked for it", []step{addTags("pci")}},
		{24.8, "Ada", "test", "split-payments", "", []step{turnOff}},
		{24.2, "Ada", "test", "split-payments", "Fixed the rounding", []step{turnOn}},
		{23.5, "Edsger", "production", "live-chat", "Globex wants to try it", []step{setTargets("addTargets", 0, "organization", "globex")}},
		{23.1, "Alan", "production", "search-ranking", "Half and half", []step{rollTo(50, 25, 25)}},
		{22.6, "Ada", "production", "new-checkout", "5% for a start", []step{rollTo(5, 95)}},
		{22.1, "Katherine", "production", "api-timeout-ms", "Search backend is slow today", []step{serveAll(2)}},
		{21.9, "Katherine", "production", "api-timeout-ms", "Back to normal", []step{serveAll(1)}},
		{20.7, "Alan", "test", "product-page-redesign", "", []step{turnOn}},
		{20.2, "Mary", "", "loyalty-points", "", []step{addTags("crm")}},
		{19.8, "laptop", "production", "new-checkout", "Error rate is flat", []step{rollTo(10, 90)}},
		{19.5, "pipeline", "", "wishlist", "Yearly review of tags", []step{addTags("reviewed-2026")}},
		{19.5, "pipeline", "", "stock-alerts", "Yearly review of tags", []step{addTags("reviewed-2026")}},
		{19.5, "pipeline", "", "homepage-layout", "Yearly review of tags", []step{addTags("reviewed-2026")}},
		{19.1, "Ada", "staging", "currency-switcher", "", []step{setTargets("addTargets", 0, "user", "user-1006")}},
		{18.6, "Alan", "production", "homepage-layout", "Magazine loses", []step{rollTo(60, 40, 0)}},
		{18.2, "Katherine", "production", "checkout-kill-switch", "Payment provider is down", []step{turnOff}},
		{18.15, "Katherine", "production", "checkout-kill-switch", "Payment provider is back", []step{turnOn}},
		{17.4, "Mary", "production", "banner-config", "Spring sale is over", []step{serveAll(1)}},
		{17.1, "Ada", "", "gift-cards", "", []step{withValue("updateDescription", "Buy and redeem gift cards")}},
		{15.8, "Ada", "test", "courier-eta", "", []step{turnOn}},
		{15.2, "Edsger", "production", "live-chat", "Support has no capacity for globex", []step{setTargets("removeTargets", 0, "organization", "globex")}},
		{14.9, "laptop", "production", "new-checkout", "", []step{rollTo(20, 80)}},
		{14.3, "Alan", "staging", "product-page-redesign", "", []step{addRule(0, "Employees", inSegment("employees")), serveAll(1), turnOn}},
		{13.2, "Katherine", "production", "rate-limit-per-minute", "A crawler is loose", []step{serveAll(0)}},
		{12.8, "Katherine", "production", "rate-limit-per-minute", "Crawler is gone", []step{serveAll(1)}},
		{12.1, "Ada", "", "new-checkout", "", []step{addTags("q4-goal")}},
		{10.6, "Ada", "test", "checkout-copy", "", []step{turnOn}},
		{10.2, "Mary", "staging", "stock-alerts", "", []step{turnOff}},
		{9.8, "Mary", "staging", "stock-alerts", "Mail templates are there now", []step{turnOn}},
		{9.3, "Alan", "production", "wishlist", "", []step{setTargets("addTargets", 1, "user", "user-1017")}},
		{8.9, "Ada", "production", "new-checkout", "Conversion dropped on phones, stepping back", []step{rollTo(5, 95)}},
		{8.2, "Katherine", "production", "fraud-check", "Enforce for a few", []step{rollTo(85, 10, 5)}},
		{7.7, "Ada", "", "legacy-cart", "", []step{withValue("updateDescription", "Replaced by new-checkout; do not use it in new code. Goes away in spring.")}},
		{7.1, "laptop", "staging", "cart-upsell", "", []step{rollTo(50, 25, 25), turnOn}},
		{6.6, "Ada", "test", "dark-mode", "", []step{turnOn}},
		{5.9, "Ada", "test", "store-pickup", "", []step{turnOn}},
		{5.2, "Ada", "staging", "dark-mode", "Contrast is too low", []step{turnOff}},
		{4.8, "Mary", "production", "banner-config", "Free shipping ended", []step{serveAll(2)}},
		{4.1, "Alan", "production", "search-ranking", "Hybrid wins", []step{rollTo(20, 20, 60)}},
		{3.8, "Margaret", "test", "passkey-login", "", []step{turnOn}},
		{3.3, "Ada", "test", "split-payments", "", []step{setTargets("addTargets", 0, "user", "user-1001")}},
		{2.9, "laptop", "production", "new-checkout", "Phones are fixed in 5.2", []step{rollTo(20, 80)}},
		{2.2, "Katherine", "", "max-items", "", []step{withValue("updateMaintainerTeam", "platform")}},
		{1.8, "Ada", "staging", "store-pickup", "", []step{addRule(0, "Employees", inSegment("employees")), serveAll(1), turnOn}},
		{1.1, "Alan", "production", "homepage-layout", "Grid it is", []step{serveAll(0)}},
		{0.6, "Ada", "staging", "new-checkout", "", []step{kind("turnFlagOff")}},
		{0.5, "Ada", "staging", "new-checkout", "Wrong tab", []step{turnOn}},
		{0.2, "Edsger", "", "live-chat", "", []step{addTags("q4-goal")}},
	}
}

func mobileHistory() []flagEvent {
	return []flagEvent{
		{26.9, "Radia", "production", "onboarding-flow", "Video is too heavy", []step{rollTo(50, 50, 0)}},
		{16.3, "Radia", "production", "min-app-version", "4.5 can no longer pay", []step{serveAll(1)}},
		{5.6, "Radia", "test", "crash-reporting", "", []step{addTags("observability")}},
	}
}

// maintenance is what the pipeline does every fourth night.
func maintenance() []flagEvent {
	var out []flagEvent
	for n := 28.95; n > 0; n -= 4 {
		out = append(out,
			flagEvent{n, "pipeline", "production", "maintenance-mode", "Database maintenance", []step{turnOn}},
			flagEvent{n - 0.02, "pipeline", "production", "maintenance-mode", "Database maintenance is over", []step{turnOff}})
	}
	return out
}

// event is anything that happened in the last 30 days.
type event struct {
	at int64
	do func()
}

// seedFlags adds the flags that existed 30 days ago and returns what happened to the flags since then.
func (a *Account) seedFlags(p *project, flags []flagSeed, history []flagEvent, ago func(time.Duration) int64) []event {
	var out []event
	for _, s := range sortedByAge(flags) {
		f := a.seedFlag(p, s, ago)
		if s.age >= 30 {
			a.addFlag(p, f)
			continue
		}
		out = append(out, event{f.CreationDate, func() {
			a.addFlag(p, f)
			a.actor = a.by(seedOwner(a, f))
			a.recordLater(a.flagChange(p, nil, f, []string{"createFlag"}, ""), func() any { return nil }, a.laterFlag(p, f))
		}})
	}
	for _, h := range history {
		out = append(out, event{ago(days(h.ago)), func() { a.replay(p, h) }})
	}
	return out
}

func days(n float64) time.Duration { return time.Duration(n * float64(day)) }

func seedOwner(a *Account, f *flag) string {
	for _, m := range a.members {
		if m.ID == f.MaintainerID {
			return m.FirstName
		}
	}
	return "Ada"
}

// by is who makes a change: the token, which is without ID for the web page.
func (a *Account) by(who string) *token {
	switch who {
	case "laptop":
		return a.tokens[0]
	case "pipeline":
		return a.tokens[len(a.tokens)-1]
	}
	return &token{Member: a.memberNamed(who)}
}

func (a *Account) replay(p *project, h flagEvent) {
	f := p.flag(h.flag)
	var list []instruction
	for _, s := range h.instructions {
		list = append(list, s(p, f))
	}
	one := *f
	if h.env != "" {
		// The other environments would only cost time, at every start.
		one.Environments = map[string]*flagConfig{h.env: f.in(h.env)}
	}
	g, actions, err := a.applyToFlag(p, &one, h.env, list)
	if err != nil {
		panic(h.flag + ": " + err.message) // the seed is wrong
	}
	if len(actions) == 0 {
		panic(h.flag + ": nothing changes: " + h.comment)
	}
	a.actor = a.by(h.who)
	before := a.laterFlag(p, f)
	c := a.flagChange(p, &one, g, actions, h.comment)
	c.Before, c.After = nil, nil
	for key, config := range f.Environments {
		if g.Environments[key] == nil {
			g.Environments[key] = config
		}
	}
	a.commitFlag(p, f, g, actions)
	a.recordLater(c, before, a.laterFlag(p, f))
}

// laterFlag keeps f as it is now, to be written out when someone asks for it.
func (a *Account) laterFlag(p *project, f *flag) func() any {
	then := *f
	then.Environments = maps.Clone(f.Environments)
	return func() any { return a.flagView(p, &then, everyEnvironment) }
}

// recordLater records a change whose versions are written out only when someone asks for them.
func (a *Account) recordLater(c change, before, after func() any) {
	a.record(nil, c)
	a.audit[len(a.audit)-1].Versions = func() (json.RawMessage, json.RawMessage) {
		var out [2]json.RawMessage
		for i, v := range []any{before(), after()} {
			if v != nil {
				out[i] = jsonValue(v)
			}
		}
		return out[0], out[1]
	}
}

// seedHistory makes everything that happened in the last 30 days happen, in order.
func (a *Account) seedHistory(events []event) {
	slices.SortStableFunc(events, func(x, y event) int { return cmp.Compare(x.at, y.at) })
	for _, e := range events {
		a.past = e.at
		e.do()
	}
}

// operations are the changes to the shop that do not concern one flag's state.
func (a *Account) operations(shop *project, ago func(time.Duration) int64) []event {
	var out []event
	at := func(daysAgo float64, who string, do func()) {
		out = append(out, event{ago(days(daysAgo)), func() { a.actor = a.by(who); do() }})
	}
	production, staging := shop.env("production"), shop.env("staging")
	segment := func(daysAgo float64, who string, e *environment, key, comment string, instructions ...instruction) {
		at(daysAgo, who, func() {
			s := e.segment(key)
			next, actions, _, err := a.applyToSegment(s, instructions)
			if err != nil {
				panic(key + ": " + err.message)
			}
			before := *s
			*s = *next
			a.record(nil, segmentChange(shop, e, &before, next, actions, comment))
		})
	}
	segment(25.9, "Mary", production, "beta-testers", "Joined at the fair", instruction{"kind": "addIncludedUsers", "values": []string{"user-1016", "user-1018"}})
	segment(21.4, "Mary", production, "beta-testers", "", instruction{"kind": "removeIncludedUsers", "values": []string{"user-1018"}})
	segment(11.6, "Margaret", staging, "employees", "Contractors too", instruction{"kind": "addRule", "description": "Contractors",
		"clauses": []clause{{Attribute: "email", Op: "endsWith", Values: rawValues("@contractor.example.com")}}})
	segment(3.1, "Mary", production, "vip", "", instruction{"kind": "addTags", "values": []string{"loyalty"}})

	setting := func(daysAgo float64, who string, e *environment, action string, change func()) {
		at(daysAgo, who, func() {
			before := jsonValue(e.rep(shop))
			change()
			a.record(nil, e.change(shop, action, "updated the environment", before, jsonValue(e.rep(shop))))
		})
	}
	setting(23.9, "Margaret", production, "updateConfirmChanges", func() { production.ConfirmChanges = true })
	setting(23.8, "Margaret", production, "updateRequireComments", func() { production.RequireComments = true })
	at(22.9, "Katherine", func() {
		m := a.memberNamed("Mary")
		before := jsonValue(a.memberRep(m))
		m.CustomRoles = []string{"segment-manager"}
		a.record(nil, change{Kind: "member", Name: m.FirstName + " " + m.LastName, Resource: "member/" + m.ID, Actions: []string{"updateCustomRole"},
			Verb: "updated the custom roles of", Before: before, After: jsonValue(a.memberRep(m)), ParentName: accountName, Parent: "acct"})
	})
	return out
}
