package ldclient

import (
	"context"
	"net/http"
)

// PromptSnippetsService reads and changes prompt snippets.
type PromptSnippetsService service

// PromptSnippet is a version of a text that variations of AI configs share.
type PromptSnippet struct {
	Key         string   `json:"key"`
	Version     int      `json:"version"`
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Text        string   `json:"text"`
	Tags        []string `json:"tags"`
	CreatedAt   int64    `json:"createdAt"`
}

func (s *PromptSnippet) missing() string {
	if s.Key == "" {
		return "prompt snippet"
	}
	return ""
}

// PromptSnippetFields are what creating and updating a snippet set; what is nil stays as it is.
type PromptSnippetFields struct {
	Key         string    `json:"key,omitempty"` // only when it is created
	Name        *string   `json:"name,omitempty"`
	Description *string   `json:"description,omitempty"`
	Text        *string   `json:"text,omitempty"`
	Tags        *[]string `json:"tags,omitempty"`
}

// List returns one page of a project's snippets, each in its latest version.
func (s *PromptSnippetsService) List(ctx context.Context, project string, p Paging) (*Page[PromptSnippet], error) {
	return get[Page[PromptSnippet]](ctx, s.c, Target{Project: project}, path("projects", project, "ai-configs", "prompt-snippets"), p.query())
}

// Get returns a snippet in its latest version.
func (s *PromptSnippetsService) Get(ctx context.Context, project, key string) (*PromptSnippet, error) {
	return get[PromptSnippet](ctx, s.c, snippetAt(project, key), snippetPath(project, key), nil)
}

// References returns one page of the variations that use a snippet, with the version that each uses.
func (s *PromptSnippetsService) References(ctx context.Context, project, key string, p Paging) (*Page[Reference], error) {
	return get[Page[Reference]](ctx, s.c, snippetAt(project, key), path("projects", project, "ai-configs", "prompt-snippets", key, "references"), p.query())
}

// Create adds a snippet.
func (s *PromptSnippetsService) Create(ctx context.Context, project string, f PromptSnippetFields) (*PromptSnippet, error) {
	return do[PromptSnippet](ctx, s.c, call{method: http.MethodPost, at: snippetAt(project, f.Key), path: path("projects", project, "ai-configs", "prompt-snippets"),
		body: f, contentType: jsonType, writes: true})
}

// Update makes a new version of a snippet.
func (s *PromptSnippetsService) Update(ctx context.Context, project, key string, f PromptSnippetFields) (*PromptSnippet, error) {
	f.Key = ""
	return do[PromptSnippet](ctx, s.c, call{method: http.MethodPatch, at: snippetAt(project, key), path: snippetPath(project, key),
		body: f, contentType: jsonType, writes: true})
}

// Delete removes a snippet with all its versions for good.
func (s *PromptSnippetsService) Delete(ctx context.Context, project, key string) error {
	_, err := do[gone](ctx, s.c, call{method: http.MethodDelete, at: snippetAt(project, key), path: snippetPath(project, key), writes: true})
	return err
}

func snippetAt(project, key string) Target {
	return Target{Project: project, Kind: "prompt-snippet", Key: key}
}

func snippetPath(project, key string) apiPath {
	return path("projects", project, "ai-configs", "prompt-snippets", key)
}
