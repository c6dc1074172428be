package ldclient

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
)

// ScheduledChangesService reads and changes what is scheduled for flags.
type ScheduledChangesService service

// ScheduledChange is a change to a flag in one environment that LaunchDarkly makes at a time.
type ScheduledChange struct {
	ID            string          `json:"_id"`
	Version       int             `json:"_version"`
	Created       Millis          `json:"_creationDate"`
	MaintainerID  string          `json:"_maintainerId"`
	ExecutionDate Millis          `json:"executionDate"`
	Instructions  []Instruction   `json:"instructions"`
	Conflicts     json.RawMessage `json:"conflicts"` // of no declared type
}

func (s *ScheduledChange) missing() string {
	if s.ID == "" {
		return "scheduled change"
	}
	return ""
}

// Schedule is what is to be done to a flag, and when.
type Schedule struct {
	Comment         string
	ExecutionDate   Millis        // when updating, 0 leaves it as it is
	Instructions    []Instruction // when updating, none leaves them as they are
	IgnoreConflicts bool          // even if another scheduled change would then fail
}

func (s Schedule) query() url.Values {
	q := url.Values{}
	if s.IgnoreConflicts {
		q.Set("ignoreConflicts", "true")
	}
	return q
}

// List returns all scheduled changes of one flag in one environment.
func (s *ScheduledChangesService) List(ctx context.Context, at Target) ([]ScheduledChange, error) {
	got, err := get[Page[ScheduledChange]](ctx, s.c, at, flagIn(at, "scheduled-changes"), nil)
	if err != nil {
		return nil, err
	}
	return got.Items, nil
}

// Get returns one scheduled change.
func (s *ScheduledChangesService) Get(ctx context.Context, at Target, id string) (*ScheduledChange, error) {
	return get[ScheduledChange](ctx, s.c, at, flagIn(at, "scheduled-changes", id), nil)
}

// Create schedules a change.
func (s *ScheduledChangesService) Create(ctx context.Context, at Target, in Schedule) (*ScheduledChange, error) {
	body := struct {
		Comment       string        `json:"comment,omitempty"`
		ExecutionDate Millis        `json:"executionDate"`
		Instructions  []Instruction `json:"instructions"`
	}{in.Comment, in.ExecutionDate, in.Instructions}
	return do[ScheduledChange](ctx, s.c, call{method: http.MethodPost, at: at, path: flagIn(at, "scheduled-changes"), query: in.query(), body: body, contentType: jsonType, writes: true})
}

// Update changes when a scheduled change is made, or what is done then, or both.
func (s *ScheduledChangesService) Update(ctx context.Context, at Target, id string, in Schedule) (*ScheduledChange, error) {
	var do []Instruction
	if in.ExecutionDate > 0 {
		do = append(do, Instruction{"kind": "updateScheduledChangesExecutionDate", "value": in.ExecutionDate})
	}
	if len(in.Instructions) > 0 {
		do = append(do, Instruction{"kind": "replaceScheduledChangesInstructions", "value": in.Instructions})
	}
	return patchPart[ScheduledChange](ctx, s.c, at, flagIn(at, "scheduled-changes", id), in.query(), in.Comment, do)
}

// Delete cancels a scheduled change.
func (s *ScheduledChangesService) Delete(ctx context.Context, at Target, id string) error {
	return erase(ctx, s.c, at, flagIn(at, "scheduled-changes", id))
}

// patchPart sends a semantic patch of something that belongs to a flag, whose environment stands in the path.
func patchPart[T any](ctx context.Context, c *Client, at Target, p apiPath, q url.Values, comment string, instructions []Instruction) (*T, error) {
	body := Patch{Comment: comment, Instructions: instructions}.body("")
	return do[T](ctx, c, call{method: http.MethodPatch, at: at, path: p, query: q, body: body, contentType: semanticPatch, writes: true})
}
