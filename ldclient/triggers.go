package ldclient

import (
	"context"
	"net/http"
)

// TriggersService reads and changes the triggers of flags.
type TriggersService service

// Trigger is an address that turns a flag on or off when something calls it.
// The address is a secret and is not decoded, nor is what was sent to it.
type Trigger struct {
	ID            string        `json:"_id"`
	Version       int           `json:"_version"`
	Created       Millis        `json:"_creationDate"`
	Maintainer    *Person       `json:"_maintainer"`
	Enabled       bool          `json:"enabled"`
	Integration   string        `json:"_integrationKey"`
	Instructions  []Instruction `json:"instructions"`
	LastTriggered Millis        `json:"_lastTriggeredAt"`
	Count         int           `json:"_triggerCount"`
}

func (t *Trigger) missing() string {
	if t.ID == "" {
		return "trigger"
	}
	return ""
}

// Action returns what the trigger does, turnFlagOn or turnFlagOff.
func (t *Trigger) Action() string {
	if len(t.Instructions) == 0 {
		return ""
	}
	return t.Instructions[0].Kind()
}

func triggersOf(at Target, rest ...any) apiPath {
	return path(append([]any{"flags", at.Project, at.Key, "triggers", at.Environment}, rest...)...)
}

// List returns all triggers of one flag in one environment.
func (s *TriggersService) List(ctx context.Context, at Target) ([]Trigger, error) {
	got, err := get[Page[Trigger]](ctx, s.c, at, triggersOf(at), nil)
	if err != nil {
		return nil, err
	}
	return got.Items, nil
}

// Get returns one trigger.
func (s *TriggersService) Get(ctx context.Context, at Target, id string) (*Trigger, error) {
	return get[Trigger](ctx, s.c, at, triggersOf(at, id), nil)
}

// Create makes a trigger that turns a flag on or off.
func (s *TriggersService) Create(ctx context.Context, at Target, integration, action, comment string) (*Trigger, error) {
	body := struct {
		Comment      string        `json:"comment,omitempty"`
		Integration  string        `json:"integrationKey"`
		Instructions []Instruction `json:"instructions"`
	}{comment, integration, []Instruction{{"kind": action}}}
	return do[Trigger](ctx, s.c, call{method: http.MethodPost, at: at, path: triggersOf(at), body: body, contentType: jsonType, writes: true})
}

// Update changes a trigger by instructions of its own kinds.
func (s *TriggersService) Update(ctx context.Context, at Target, id, comment string, do ...Instruction) (*Trigger, error) {
	return patchPart[Trigger](ctx, s.c, at, triggersOf(at, id), nil, comment, do)
}

// Delete removes a trigger, after which its address does nothing.
func (s *TriggersService) Delete(ctx context.Context, at Target, id string) error {
	return erase(ctx, s.c, at, triggersOf(at, id))
}

// EnableTrigger switches a trigger on or off.
func EnableTrigger(enabled bool) Instruction {
	if enabled {
		return Instruction{"kind": "enableTrigger"}
	}
	return Instruction{"kind": "disableTrigger"}
}

// SetTriggerAction sets what a trigger does, turnFlagOn or turnFlagOff.
func SetTriggerAction(action string) Instruction {
	return Instruction{"kind": "replaceTriggerActionInstructions", "value": []Instruction{{"kind": action}}}
}

// CycleTriggerURL gives a trigger a new address; the old one stops working.
func CycleTriggerURL() Instruction { return Instruction{"kind": "cycleTriggerUrl"} }
