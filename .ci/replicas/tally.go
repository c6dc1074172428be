package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/ld-mcp/ld-mcp/internal/written"
)

// tally is what the clients saw.
type tally struct {
	mu       sync.Mutex
	arrived  int
	calls    int
	failed   int // calls that ended in an error of HTTP or of the connection
	writes   written.Ledger
	wrong    []error
	longest  time.Duration // until a lost stream worked again
	moved    int           // streams that were lost and work again
	repeated time.Duration // the longest until a failed call was repeated with success
	before   int           // failed, at the beginning of the round
	lost     int           // streams that do not work again yet
}

func newTally() *tally { return &tally{writes: written.NewLedger()} }

func (t *tally) locked(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f()
}

func (t *tally) complain(format string, args ...any) {
	t.locked(func() { t.wrong = append(t.wrong, fmt.Errorf(format, args...)) })
}

// everyone waits until so many clients have their first write behind them.
func (t *tally) everyone(ctx context.Context, n int) error {
	for range 300 {
		arrived, wrong := 0, error(nil)
		t.locked(func() { arrived, wrong = t.arrived, errors.Join(t.wrong...) })
		if wrong != nil {
			return wrong
		}
		if arrived == n {
			return nil
		}
		pause(ctx, 100*time.Millisecond)
	}
	return fmt.Errorf("after half a minute only %d of %d clients work", t.arrived, n)
}

func (t *tally) begin() {
	t.locked(func() { t.longest, t.moved, t.repeated, t.before = 0, 0, 0, t.failed })
}

// round is what happened since begin. A stream that is still lost counts as one that takes forever.
func (t *tally) round() (moved int, longest time.Duration, failed int, repeated time.Duration) {
	t.locked(func() {
		moved, longest, failed, repeated = t.moved, t.longest, t.failed-t.before, t.repeated
		if t.lost > 0 {
			longest = time.Hour
		}
	})
	return
}

// judge compares what the clients were told with the audit log.
func (t *tally) judge(out io.Writer, log map[string]int) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	unknown, wrong := t.writes.Judge(log)
	t.wrong = append(t.wrong, wrong...)
	fmt.Fprintf(out, "  %d calls, %d failed cleanly; %d writes acknowledged and each in the audit log once; %d written without a reply\n", t.calls, t.failed, len(t.writes.Done), unknown)
	if len(t.writes.Done) < 5*(streamables+streams) {
		t.wrong = append(t.wrong, fmt.Errorf("only %d writes were made, so little was shown", len(t.writes.Done)))
	}
	return errors.Join(t.wrong[:min(10, len(t.wrong))]...)
}
