package ldclient

import (
	"context"
	"slices"
	"sync"
)

// order lets writes to one resource go one after the other, first come first
// served: LaunchDarkly answers concurrent ones with 409, those to a flag in
// different environments too.
type order struct {
	mu   sync.Mutex
	busy map[Target][]chan struct{} // the writes that wait for the one under way
}

func newOrder() *order { return &order{busy: map[Target][]chan struct{}{}} }

// enter waits until no earlier write to the resource is under way. leave must follow it.
func (o *order) enter(ctx context.Context, at Target) error {
	at = resourceOf(at)
	o.mu.Lock()
	line, busy := o.busy[at]
	if !busy {
		o.busy[at] = nil
		o.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	o.busy[at] = append(line, turn)
	o.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if i := slices.Index(o.busy[at], turn); i >= 0 {
		o.busy[at] = slices.Delete(o.busy[at], i, i+1)
	} else { // its turn came at the same moment
		o.next(at)
	}
	return ctx.Err()
}

func (o *order) leave(at Target) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.next(resourceOf(at))
}

func (o *order) next(at Target) {
	line := o.busy[at]
	if len(line) == 0 {
		delete(o.busy, at)
		return
	}
	close(line[0])
	o.busy[at] = slices.Delete(line, 0, 1)
}

// resourceOf is what a write to at takes its turn for: a flag in all its
// environments, or a project's own settings with its environments.
func resourceOf(at Target) Target {
	at.Environment = ""
	if at.Kind == "" || at.Kind == "env" {
		return Target{Project: at.Project}
	}
	return at
}
