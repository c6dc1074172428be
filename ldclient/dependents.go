package ldclient

import (
	"context"
	"net/http"
)

// DependentsIn returns the keys of the flags that have a flag as a prerequisite
// in one environment. This part of the API is in beta.
func (s *FlagsService) DependentsIn(ctx context.Context, project, environment, key string) ([]string, error) {
	got, err := do[Page[DependentFlag]](ctx, s.c, call{method: http.MethodGet, at: flagAt(project, environment, key),
		path: path("flags", project, environment, key, "dependent-flags"), beta: true})
	if err != nil {
		return nil, err
	}
	var out []string
	for _, f := range got.Items {
		out = append(out, f.Key)
	}
	return out, nil
}
