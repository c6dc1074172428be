package gateway

import (
	"context"
	"slices"
	"sync"
	"time"
)

// calls counts what is in progress. A call that finds no room waits a little, the longest waiting first.
type calls struct {
	limits  Limits
	mu      sync.Mutex
	all     int
	of      map[string]int // by caller
	waiting []*turn
	idle    chan struct{} // closed once nothing is in progress, while someone waits for it
}

// turn is a call that waits for room.
type turn struct {
	caller string
	come   chan struct{}
}

const turnWithin = 15 * time.Second // shorter than clients wait for an answer

// enter counts a call, once there is room for it. It reports false where none came about in time.
func (c *calls) enter(ctx context.Context, caller string) bool {
	c.mu.Lock()
	if c.fits(caller) {
		c.admit(caller)
		c.mu.Unlock()
		return true
	}
	own := 0
	for _, t := range c.waiting {
		if t.caller == caller {
			own++
		}
	}
	if len(c.waiting) >= 2*c.limits.Calls || own >= 2*c.limits.CallsPerCaller {
		c.mu.Unlock()
		return false
	}
	t := &turn{caller, make(chan struct{})}
	c.waiting = append(c.waiting, t)
	c.mu.Unlock()
	timer := time.NewTimer(turnWithin)
	defer timer.Stop()
	select {
	case <-t.come:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.waiting, t); i >= 0 {
		c.waiting = slices.Delete(c.waiting, i, i+1)
		return false
	}
	return true // its turn came just then
}

func (c *calls) fits(caller string) bool {
	return c.all < c.limits.Calls && c.of[caller] < c.limits.CallsPerCaller
}

func (c *calls) admit(caller string) {
	if c.of == nil {
		c.of = map[string]int{}
	}
	c.all++
	c.of[caller]++
}

func (c *calls) leave(caller string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all--
	if c.of[caller]--; c.of[caller] == 0 {
		delete(c.of, caller)
	}
	if i := slices.IndexFunc(c.waiting, func(t *turn) bool { return c.fits(t.caller) }); i >= 0 {
		t := c.waiting[i]
		c.waiting = slices.Delete(c.waiting, i, i+1)
		c.admit(t.caller)
		close(t.come)
	}
	if c.all == 0 && c.idle != nil {
		close(c.idle)
		c.idle = nil
	}
}

func (c *calls) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all
}

// wait reports whether everything in progress ended in time.
func (c *calls) wait(atMost time.Duration) bool {
	c.mu.Lock()
	if c.all == 0 {
		c.mu.Unlock()
		return true
	}
	if c.idle == nil {
		c.idle = make(chan struct{})
	}
	idle := c.idle
	c.mu.Unlock()
	timer := time.NewTimer(atMost)
	defer timer.Stop()
	select {
	case <-idle:
		return true
	case <-timer.C:
		return false
	}
}
