package ldclient

import (
	"context"
	"net/http"
)

// FollowersService reads and changes who follows flags.
type FollowersService service

// FollowedFlag is a flag with the members who get mail about changes of its targeting in one environment.
type FollowedFlag struct {
	Flag      string   `json:"flagKey"`
	Followers []Person `json:"followers"`
}

// OfFlag returns the followers of one flag in an environment.
func (s *FollowersService) OfFlag(ctx context.Context, project, environment, flag string) ([]Person, error) {
	got, err := do[Page[Person]](ctx, s.c, call{method: http.MethodGet, at: flagAt(project, environment, flag), path: followersPath(project, environment, flag), beta: true})
	if err != nil {
		return nil, err
	}
	return got.Items, nil
}

// OfEnvironment returns the followers of all flags in an environment.
func (s *FollowersService) OfEnvironment(ctx context.Context, project, environment string) ([]FollowedFlag, error) {
	got, err := do[Page[FollowedFlag]](ctx, s.c, call{method: http.MethodGet, at: Target{Project: project, Environment: environment},
		path: path("projects", project, "environments", environment, "followers"), beta: true})
	if err != nil {
		return nil, err
	}
	return got.Items, nil
}

// Add makes one member a follower of a flag in an environment.
func (s *FollowersService) Add(ctx context.Context, project, environment, flag, member string) error {
	return s.set(ctx, http.MethodPut, project, environment, flag, member)
}

// Remove ends that one member follows a flag in an environment.
func (s *FollowersService) Remove(ctx context.Context, project, environment, flag, member string) error {
	return s.set(ctx, http.MethodDelete, project, environment, flag, member)
}

func (s *FollowersService) set(ctx context.Context, method, project, environment, flag, member string) error {
	_, err := do[gone](ctx, s.c, call{method: method, at: flagAt(project, environment, flag), path: followersPath(project, environment, flag, member), beta: true, writes: true})
	return err
}

func followersPath(project, environment, flag string, member ...any) apiPath {
	return path(append([]any{"projects", project, "flags", flag, "environments", environment, "followers"}, member...)...)
}
