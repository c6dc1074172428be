package ldclient

import "context"

type progressKey struct{}

// Progress is told of the requests of a call, each of which may be several attempts. Its methods may be called at once.
type Progress interface {
	RequestBegins()
	RequestEnds()
}

// WithProgress returns a context whose requests p is told of; nil is told of none.
func WithProgress(ctx context.Context, p Progress) context.Context {
	return context.WithValue(ctx, progressKey{}, p)
}

// underWay tells the context's Progress that a request begins, and returns what tells it of the end.
func underWay(ctx context.Context) (ended func()) {
	p, ok := ctx.Value(progressKey{}).(Progress)
	if !ok {
		return func() {}
	}
	p.RequestBegins()
	return p.RequestEnds
}
