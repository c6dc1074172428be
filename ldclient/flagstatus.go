package ldclient

import (
	"context"
	"encoding/json"
	"maps"
	"net/url"
	"time"
)

// FlagStatus is a flag's lifecycle in one environment.
type FlagStatus struct {
	Name          string  `json:"name"` // new, active, launched or inactive
	LastRequested Request `json:"lastRequested"`
}

// Request is when an SDK last asked for a flag; the zero Request is never.
type Request struct{ time.Time }

// UnmarshalJSON reads RFC 3339, ms since the epoch, or null. Anything else is
// taken for never, so look at the status's name first.
func (r *Request) UnmarshalJSON(b []byte) error {
	*r = Request{}
	var ms Millis
	var text string
	switch {
	case json.Unmarshal(b, &ms) == nil:
		r.Time = ms.Time()
	case json.Unmarshal(b, &text) == nil:
		if t, err := time.Parse(time.RFC3339, text); err == nil && !t.IsZero() {
			r.Time = t.UTC()
		}
	}
	return nil
}

// String formats r as RFC 3339 in UTC to the second, "" for never.
func (r Request) String() string {
	if r.IsZero() {
		return ""
	}
	return r.Format(time.RFC3339)
}

// Status returns a flag's status in one environment.
func (s *FlagsService) Status(ctx context.Context, project, environment, key string) (*FlagStatus, error) {
	return get[FlagStatus](ctx, s.c, flagAt(project, environment, key), path("flag-statuses", project, environment, key), nil)
}

func (s *FlagStatus) missing() string {
	if s.Name == "" {
		return "flag status"
	}
	return ""
}

type statusAcross struct {
	Key          string                `json:"key"`
	Environments map[string]FlagStatus `json:"environments"`
}

func (s *statusAcross) missing() string {
	if s.Environments == nil {
		return "flag status"
	}
	return ""
}

// StatusAcross returns a flag's status in each environment of its project that is in scope, by environment key.
func (s *FlagsService) StatusAcross(ctx context.Context, project, key string) (map[string]FlagStatus, error) {
	got, err := get[statusAcross](ctx, s.c, flagAt(project, "", key), path("flag-status", project, key), nil)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(got.Environments, func(env string, _ FlagStatus) bool { return !s.c.cfg.Scope.AllowsEnvironment(env) })
	return got.Environments, nil
}

// GetIn returns one flag with its targeting in several environments.
func (s *FlagsService) GetIn(ctx context.Context, project, key string, environments ...string) (*Flag, error) {
	if err := s.inScope(project, environments); err != nil {
		return nil, err
	}
	return get[Flag](ctx, s.c, flagAt(project, "", key), path("flags", project, key), url.Values{"env": environments})
}

// ListIn returns one page of a project's flags as they stand in several
// environments: with their full targeting, or as summaries.
func (s *FlagsService) ListIn(ctx context.Context, project string, o ListFlags, full bool, environments ...string) (*Page[Flag], error) {
	if err := s.inScope(project, environments); err != nil {
		return nil, err
	}
	q, err := o.query()
	if err != nil {
		return nil, err
	}
	q["env"] = environments
	if full {
		q.Set("summary", "0")
	}
	return get[Page[Flag]](ctx, s.c, Target{Project: project}, path("flags", project), q)
}

func (s *FlagsService) inScope(project string, environments []string) error {
	for _, env := range environments {
		if err := s.c.cfg.Scope.Check(Target{Project: project, Environment: env}, false); err != nil {
			return err
		}
		if err := CheckKey(env); err != nil {
			return &InvalidError{Message: err.Error()}
		}
	}
	return nil
}
