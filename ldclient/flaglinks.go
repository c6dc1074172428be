package ldclient

import (
	"context"
	"net/http"
)

// FlagLinksService reads and changes the links of flags.
type FlagLinksService service

// FlagLink leads from a flag to something outside LaunchDarkly.
type FlagLink struct {
	ID          string  `json:"_id"`
	Key         string  `json:"_key"`
	Integration string  `json:"_integrationKey"` // "" for a plain address
	URL         string  `json:"_deepLink"`
	Title       string  `json:"title"`
	Description string  `json:"description"`
	Created     Millis  `json:"_createdAt"`
	Member      *Person `json:"_member"`
}

func (l *FlagLink) missing() string {
	if l.ID == "" {
		return "flag link"
	}
	return ""
}

// NewFlagLink is a link that is yet to be made.
type NewFlagLink struct {
	URL         string `json:"deepLink"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
}

// List returns all links of a flag.
func (s *FlagLinksService) List(ctx context.Context, project, flag string) ([]FlagLink, error) {
	got, err := do[Page[FlagLink]](ctx, s.c, call{method: http.MethodGet, at: flagAt(project, "", flag), path: flagLinksPath(project, flag), beta: true})
	if err != nil {
		return nil, err
	}
	return got.Items, nil
}

// Create adds a link to a flag.
func (s *FlagLinksService) Create(ctx context.Context, project, flag string, l NewFlagLink) (*FlagLink, error) {
	return do[FlagLink](ctx, s.c, call{method: http.MethodPost, at: flagAt(project, "", flag), path: flagLinksPath(project, flag),
		body: l, contentType: jsonType, beta: true, writes: true})
}

// Update changes one link of a flag.
func (s *FlagLinksService) Update(ctx context.Context, project, flag, id string, steps []Operation) (*FlagLink, error) {
	return do[FlagLink](ctx, s.c, call{method: http.MethodPatch, at: flagAt(project, "", flag), path: flagLinksPath(project, flag, id),
		body: steps, contentType: jsonType, beta: true, writes: true})
}

// Delete removes one link of a flag for good.
func (s *FlagLinksService) Delete(ctx context.Context, project, flag, id string) error {
	_, err := do[gone](ctx, s.c, call{method: http.MethodDelete, at: flagAt(project, "", flag), path: flagLinksPath(project, flag, id), beta: true, writes: true})
	return err
}

func flagLinksPath(project, flag string, id ...any) apiPath {
	return path(append([]any{"flag-links", "projects", project, "flags", flag}, id...)...)
}
