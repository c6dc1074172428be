package ldclient

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// LaunchDarkly shows changes of AI configs some seconds late. What it answered to
// writes is remembered for a while, and a read that does not show it is made again.

const (
	remembered  = 30 * time.Second // how late reads may be
	wholeConfig = "the AI config"
)

// patience is how long to wait between reads; after the last, what is shown is taken as it is.
var patience = [...]time.Duration{250 * time.Millisecond, 500 * time.Millisecond, time.Second, time.Second, 2 * time.Second}

// writtenParts are the versions that writes made, by AI config and part of it.
type writtenParts struct {
	mu   sync.Mutex
	list map[writtenPart]writtenVersion
}

type writtenPart struct {
	project, config, part string
}

type writtenVersion struct {
	version int
	gone    bool
	at      time.Time
}

func (w *writtenParts) wrote(at Target, part string, version int) {
	w.put(at, part, writtenVersion{version: version, at: time.Now()})
}

func (w *writtenParts) removed(at Target, part string) {
	w.put(at, part, writtenVersion{gone: true, at: time.Now()})
}

func (w *writtenParts) put(at Target, part string, v writtenVersion) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.list == nil {
		w.list = map[writtenPart]writtenVersion{}
	}
	for p, old := range w.list {
		if time.Since(old.at) > remembered || part == wholeConfig && v.gone && p.project == at.Project && p.config == at.Key {
			delete(w.list, p)
		}
	}
	w.list[writtenPart{at.Project, at.Key, part}] = v
}

// behind says what of the writes to an AI config shown does not show, "" if it
// shows all. shown gives the version of a part, and whether it is there.
func (w *writtenParts) behind(at Target, shown func(part string) (int, bool)) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var late []string
	for p, v := range w.list {
		if p.project != at.Project || p.config != at.Key || time.Since(v.at) > remembered || isTargeting(p.part) != (at.Environment != "") ||
			at.Environment != "" && p.part != targetingPart(at.Environment) {
			continue
		}
		is, there := shown(p.part)
		switch {
		case v.gone && there:
			late = append(late, p.part+" was deleted and is still shown")
		case !v.gone && !there:
			late = append(late, p.part+" was written and is not shown yet")
		case !v.gone && is < v.version:
			late = append(late, fmt.Sprintf("version %d of %s was written, and version %d is shown", v.version, p.part, is))
		}
	}
	if len(late) == 0 {
		return ""
	}
	slices.Sort(late)
	return late[0]
}

// expects reports whether an AI config was lately written, so that it cannot be missing.
func (w *writtenParts) expects(at Target) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	v, ok := w.list[writtenPart{at.Project, at.Key, wholeConfig}]
	return ok && !v.gone && time.Since(v.at) <= remembered
}

// environments lists those in which the targeting of an AI config was lately written.
func (w *writtenParts) environments(at Target) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for p := range w.list {
		if key, ok := strings.CutPrefix(p.part, targeting); ok && p.project == at.Project && p.config == at.Key {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return out
}

const targeting = "targeting in "

func targetingPart(environment string) string { return targeting + environment }

func isTargeting(part string) bool { return strings.HasPrefix(part, targeting) }

// settled reads until late says nothing, or patience is at its end.
func settled[T any](ctx context.Context, c *Client, at Target, read func(context.Context) (*T, error), late func(*T) string) (*T, error) {
	for n := 0; ; n++ {
		got, err := read(ctx)
		missing := IsNotFound(err) && c.written.expects(at)
		if err != nil && !missing || err == nil && late(got) == "" || !pause(ctx, n) {
			return got, err
		}
		ctx = Fresh(ctx)
	}
}

// pause waits for the nth time; false is that there is no time left to.
func pause(ctx context.Context, n int) bool {
	if n >= len(patience) {
		return false
	}
	if end, ok := ctx.Deadline(); ok && time.Until(end) < patience[n]+time.Second {
		return false
	}
	t := time.NewTimer(patience[n])
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
