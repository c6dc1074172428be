package sandbox

import (
	"net/http"
	"slices"
)

func (a *Account) followerRoutes() {
	const list = "/projects/{project}/flags/{flag}/environments/{environment}/followers"
	a.route("GET "+list, a.flagFollowers)
	a.route("PUT "+list+"/{member}", a.addFollower)
	a.route("DELETE "+list+"/{member}", a.removeFollower)
	a.route("GET /projects/{project}/environments/{environment}/followers", a.environmentFollowers)
}

// follower is a member who gets mail about a flag in an environment.
type follower struct {
	Flag, Env string
	Member    *member
}

// followed finds the flag and environment in the path; it answers and returns nil where one is missing.
func (a *Account) followed(w http.ResponseWriter, r *http.Request) (*project, *flag, *environment) {
	p, f := a.flag(w, r)
	if f == nil {
		return nil, nil, nil
	}
	return p, f, a.environment(w, p, r.PathValue("environment"))
}

func (p *project) followers(f *flag, e *environment) []*member {
	var out []*member
	for _, x := range p.Followers {
		if x.Flag == f.Key && x.Env == e.Key {
			out = append(out, x.Member)
		}
	}
	return out
}

func (a *Account) flagFollowers(w http.ResponseWriter, r *http.Request) {
	if p, f, e := a.followed(w, r); e != nil {
		send(w, http.StatusOK, map[string]any{"items": summaries(p.followers(f, e)), "_links": links{"self": requestLink(r, r.URL.Query())}})
	}
}

func (a *Account) environmentFollowers(w http.ResponseWriter, r *http.Request) {
	p := a.project(w, r)
	if p == nil {
		return
	}
	e := a.environment(w, p, r.PathValue("environment"))
	if e == nil {
		return
	}
	type perFlag struct {
		Flag      string          `json:"flagKey"`
		Followers []memberSummary `json:"followers"`
	}
	items := []perFlag{}
	for _, f := range p.Flags {
		if members := p.followers(f, e); len(members) > 0 {
			items = append(items, perFlag{f.Key, summaries(members)})
		}
	}
	send(w, http.StatusOK, map[string]any{"items": items, "_links": links{"self": requestLink(r, r.URL.Query())}})
}

func (a *Account) addFollower(w http.ResponseWriter, r *http.Request) {
	a.changeFollower(w, r, "added a follower to the flag", func(p *project, x follower) {
		if !slices.Contains(p.Followers, x) {
			p.Followers = append(p.Followers, x)
		}
	})
}

func (a *Account) removeFollower(w http.ResponseWriter, r *http.Request) {
	a.changeFollower(w, r, "removed a follower of the flag", func(p *project, x follower) {
		p.Followers = slices.DeleteFunc(p.Followers, func(o follower) bool { return o == x })
	})
}

func (a *Account) changeFollower(w http.ResponseWriter, r *http.Request, verb string, do func(*project, follower)) {
	p, f, e := a.followed(w, r)
	if e == nil {
		return
	}
	m := a.member(r.PathValue("member"))
	if m == nil {
		fail(w, http.StatusNotFound, "not_found", "Unknown member")
		return
	}
	n := len(p.Followers)
	do(p, follower{f.Key, e.Key, m})
	if len(p.Followers) != n {
		a.tick()
		a.record(r, change{Kind: "flag-follower", Name: f.Name, Resource: e.spec(p) + ":flag/" + f.Key, Actions: []string{"manageFlagFollowers"}, Verb: verb,
			ParentName: p.Name, Parent: p.spec()})
	}
	send(w, http.StatusNoContent, nil)
}

func (a *Account) seedFollowers(shop *project) {
	for _, s := range []struct {
		flag, env string
		member    int
	}{
		{"new-checkout", "production", 1}, {"new-checkout", "production", 4}, {"new-checkout", "staging", 1}, {"search-ranking", "production", 2}, {"search-ranking", "test", 2},
	} {
		shop.Followers = append(shop.Followers, follower{s.flag, s.env, a.members[s.member]})
	}
}
