package tools

import (
	"context"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// undoSteps are what undoing a change of one kind of resource takes, besides its instructions.
type undoSteps[R any] struct {
	at       ldclient.Target
	now      *R // as the undo was planned on
	read     func(context.Context) (*R, error)
	patch    func(context.Context, manner) (*R, error)
	restores func(context.Context, *R) error // refuses what the patch would make, unless it is what was
	words    func(*R) *undoneView
	version  func(*R) string // what the plan holds for
	count    func(*R) int    // of the changes of what the undo is about
}

// ready tries an undo out and completes its plan. An approval that is wanted is no obstacle to planning.
func (s undoSteps[R]) ready(ctx context.Context, p *plan[undoneView]) error {
	apart := func(after *R) (was, is *undoneView) {
		was, is = s.words(s.now), s.words(after)
		undoneApart(was, is)
		return was, is
	}
	tried, refused := s.patch(ctx, manner{DryRun: true})
	switch {
	case ldclient.IsApprovalRequired(refused):
	case refused != nil:
		return refused
	default:
		if err := s.restores(ctx, tried); err != nil {
			return err
		}
		p.Before, _ = apart(tried)
	}
	p.Apply = func(ctx context.Context, how manner) (*undoneView, error) {
		if refused != nil {
			return nil, refused
		}
		if !how.DryRun {
			there, err := s.read(ctx)
			if err != nil {
				return nil, err
			}
			if s.version(there) != p.Version {
				return nil, lostRace(s.at)
			}
		}
		got, err := s.patch(ctx, how)
		if err != nil {
			return nil, err
		}
		if !how.DryRun {
			p.overtaken(s.at, s.count(s.now), s.count(tried), s.count(got))
		}
		_, after := apart(got)
		return after, nil
	}
	return nil
}
