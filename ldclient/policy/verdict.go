package policy

// Verdict is an answer in three values, since not everything that decides is known.
type Verdict int8

// The verdicts, in order: the lower of two holds where both are needed.
const (
	No      Verdict = -1
	Unknown Verdict = 0
	Yes     Verdict = 1
)

func (v Verdict) String() string {
	switch {
	case v < 0:
		return "no"
	case v > 0:
		return "yes"
	}
	return "unknown"
}

// Known is the verdict on something that is known to hold or not.
func Known(holds bool) Verdict {
	if holds {
		return Yes
	}
	return No
}

func (v Verdict) not() Verdict { return -v }

// anyOf is Yes if one is, and No if all are.
func anyOf[T any](list []T, of func(T) Verdict) Verdict {
	best := No
	for _, x := range list {
		best = max(best, of(x))
	}
	return best
}

// allOf is Yes if all are, and No if one is.
func allOf[T any](list []T, of func(T) Verdict) Verdict {
	worst := Yes
	for _, x := range list {
		worst = min(worst, of(x))
	}
	return worst
}
