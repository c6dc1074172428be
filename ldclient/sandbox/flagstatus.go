package sandbox

import (
	"net/http"
	"slices"
	"time"
)

const week = int64(7 * 24 * time.Hour / time.Millisecond)

type statusRep struct {
	Name          string  `json:"name"`
	LastRequested *string `json:"lastRequested"` // null for never
	Links         links   `json:"_links,omitempty"`
}

// status says how a flag is used in an environment: its age, latest request and configuration decide.
func (a *Account) status(f *flag, env string) statusRep {
	s := f.Status[env]
	var rep statusRep
	if s.LastRequested > 0 {
		at := time.UnixMilli(s.LastRequested).UTC().Format(time.RFC3339Nano)
		rep.LastRequested = &at
	}
	now, c := a.now().UnixMilli(), f.Environments[env]
	switch {
	case s.LastRequested == 0 && now-f.CreationDate < week:
		rep.Name = "new"
	case now-s.LastRequested > week:
		rep.Name = "inactive"
	case c.On && c.settled() && now-c.LastModified >= week:
		rep.Name = "launched"
	default:
		rep.Name = "active"
	}
	return rep
}

// settled tells whether the configuration serves everyone the same variation while it is on.
func (c *flagConfig) settled() bool {
	only := c.Fallthrough.Variation
	if only == nil {
		return false
	}
	other := func(t flagTarget) bool { return t.Variation != *only }
	return len(c.Prerequisites) == 0 && !slices.ContainsFunc(c.Targets, other) && !slices.ContainsFunc(c.ContextTargets, other) &&
		!slices.ContainsFunc(c.Rules, func(r *flagRule) bool { return r.Variation == nil || *r.Variation != *only })
}

func (a *Account) listFlagStatuses(w http.ResponseWriter, r *http.Request) {
	p := a.project(w, r)
	if p == nil {
		return
	}
	e := a.environment(w, p, r.PathValue("environment"))
	if e == nil {
		return
	}
	items := []statusRep{}
	for _, f := range p.Flags {
		if f.Archived {
			continue
		}
		rep := a.status(f, e.Key)
		rep.Links = statusLinks(p, e, f)
		items = append(items, rep)
	}
	send(w, http.StatusOK, map[string]any{"items": items, "_links": links{"self": linkTo("flag-statuses", p.Key, e.Key)}})
}

// statusLinks are the only place where a status names its flag.
func statusLinks(p *project, e *environment, f *flag) links {
	return links{"self": linkTo("flag-statuses", p.Key, e.Key, f.Key), "parent": linkTo("flags", p.Key, f.Key)}
}

func (a *Account) getFlagStatus(w http.ResponseWriter, r *http.Request) {
	p, f := a.flag(w, r)
	if f == nil {
		return
	}
	e := a.environment(w, p, r.PathValue("environment"))
	if e == nil {
		return
	}
	rep := a.status(f, e.Key)
	rep.Links = statusLinks(p, e, f)
	send(w, http.StatusOK, rep)
}

func (a *Account) flagStatusAcross(w http.ResponseWriter, r *http.Request) {
	p, f := a.flag(w, r)
	if f == nil {
		return
	}
	keys := r.URL.Query()["env"]
	if err := p.knows(keys); err != nil {
		refuse(w, err)
		return
	}
	envs := map[string]statusRep{}
	for _, e := range p.Envs {
		if len(keys) == 0 || slices.Contains(keys, e.Key) {
			envs[e.Key] = a.status(f, e.Key)
		}
	}
	send(w, http.StatusOK, map[string]any{
		"key": f.Key, "environments": envs,
		"_links": links{"self": linkTo("flag-status", p.Key, f.Key), "parent": linkTo("flags", p.Key, f.Key)},
	})
}
