package sandbox

import (
	"net/http"
	"slices"
)

func (a *Account) expiringSegmentRoutes() {
	const pattern = "/segments/{project}/{segment}/expiring-targets/{environment}"
	a.route("GET "+pattern, func(w http.ResponseWriter, r *http.Request) {
		if on, ok := a.expiringOnSegment(w, r); ok {
			a.sendExpiring(w, r, on)
		}
	})
	a.route("PATCH "+pattern, func(w http.ResponseWriter, r *http.Request) {
		if on, ok := a.expiringOnSegment(w, r); ok {
			a.patchExpiring(w, r, on)
		}
	})
}

func (a *Account) expiringOnSegment(w http.ResponseWriter, r *http.Request) (expiringOn, bool) {
	p, e, s := a.segment(w, r)
	if s == nil {
		return expiringOn{}, false
	}
	return expiringOn{
		resourceID: resourceID{p.Key, e.Key, s.Key, "segment"},
		targeted:   func(t *expiringTarget) bool { return s.lists(t) },
		leave:      func(t *expiringTarget) { a.leaveSegment(p, e, s, t) },
		change: func(comment string) change {
			return segmentChange(p, e, s, s, []string{"updateExpiringTargets"}, comment)
		},
	}, true
}

// lists tells whether the context of an expiring target stands on its list.
func (s *segment) lists(t *expiringTarget) bool {
	users, contexts, keys := s.Excluded, s.ExcludedContexts, s.BigExcluded
	switch t.TargetType {
	case "included":
		users, contexts, keys = s.Included, s.IncludedContexts, s.BigIncluded
	case "excluded":
	default:
		return false
	}
	if s.Unbounded {
		return t.ContextKind == s.UnboundedContextKind && keys[t.ContextKey]
	}
	if t.ContextKind == "user" {
		return slices.Contains(users, t.ContextKey)
	}
	return slices.ContainsFunc(contexts, func(c segmentTarget) bool {
		return c.ContextKind == t.ContextKind && slices.Contains(c.Values, t.ContextKey)
	})
}

// leaveSegment takes a context off a segment's list, as LaunchDarkly does by itself when the time has come.
func (a *Account) leaveSegment(p *project, e *environment, s *segment, t *expiringTarget) {
	if e.segment(s.Key) != s || !s.lists(t) {
		return // gone since
	}
	kind, action := "removeExcludedTargets", "updateExcluded"
	if t.TargetType == "included" {
		kind, action = "removeIncludedTargets", "updateIncluded"
	}
	if s.Unbounded {
		kind = map[string]string{"included": "removeBigSegmentIncludedTargets", "excluded": "removeBigSegmentExcludedTargets"}[t.TargetType]
	}
	next, _, _, err := a.applyToSegment(s, []instruction{{"kind": kind, "contextKind": t.ContextKind, "values": []string{t.ContextKey}}})
	if err != nil || next.Version == s.Version {
		return
	}
	c := segmentChange(p, e, s, next, []string{action}, "")
	*s = *next
	a.record(nil, c)
}
