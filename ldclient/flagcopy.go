package ldclient

import (
	"context"
	"net/http"
)

// FlagCopy says what of a flag's targeting goes from one environment to another.
// The versions are those that the copy was decided on; with others it fails.
type FlagCopy struct {
	From, To               string // environment keys
	FromVersion, ToVersion int
	Included, Excluded     []string // such as updateRules; at most one of the two, none is everything
	Comment                string
}

// Copy copies a flag's targeting and returns the flag as it is then. There is no dry run.
func (s *FlagsService) Copy(ctx context.Context, project, key string, c FlagCopy) (*Flag, error) {
	type side struct {
		Key     string `json:"key"`
		Version int    `json:"currentVersion"`
	}
	if err := s.c.cfg.Scope.Check(flagAt(project, c.From, key), false); err != nil {
		return nil, err
	}
	return do[Flag](ctx, s.c, call{method: http.MethodPost, at: flagAt(project, c.To, key), path: path("flags", project, key, "copy"), body: struct {
		Source   side     `json:"source"`
		Target   side     `json:"target"`
		Comment  string   `json:"comment,omitempty"`
		Included []string `json:"includedActions,omitempty"`
		Excluded []string `json:"excludedActions,omitempty"`
	}{side{c.From, c.FromVersion}, side{c.To, c.ToVersion}, c.Comment, c.Included, c.Excluded}, contentType: jsonType, writes: true})
}
