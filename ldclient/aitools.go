package ldclient

import (
	"context"
	"encoding/json"
	"net/http"
)

// AIToolsService reads and changes the tools that AI configs offer to models.
type AIToolsService service

// AITool is a version of a function that a model may call.
type AITool struct {
	Key         string          `json:"key"`
	Version     int             `json:"version"`
	Description string          `json:"description"`
	Schema      json.RawMessage `json:"schema"`
	Custom      json.RawMessage `json:"customParameters"` // for the application, not for the model
	CreatedAt   int64           `json:"createdAt"`
}

func (t *AITool) missing() string {
	if t.Key == "" {
		return "AI tool"
	}
	return ""
}

// AIToolFields are what creating and updating a tool set; what is nil stays as it is.
type AIToolFields struct {
	Key         string          `json:"key,omitempty"` // only when it is created
	Description *string         `json:"description,omitempty"`
	Schema      json.RawMessage `json:"schema,omitempty"`
	Custom      json.RawMessage `json:"customParameters,omitempty"`
}

// List returns one page of a project's tools, each in its latest version.
func (s *AIToolsService) List(ctx context.Context, project string, p Paging) (*Page[AITool], error) {
	return get[Page[AITool]](ctx, s.c, Target{Project: project}, path("projects", project, "ai-tools"), p.query())
}

// Get returns a tool in its latest version.
func (s *AIToolsService) Get(ctx context.Context, project, key string) (*AITool, error) {
	return get[AITool](ctx, s.c, aiToolAt(project, key), aiToolPath(project, key), nil)
}

// References returns one page of the variations that offer a tool.
func (s *AIToolsService) References(ctx context.Context, project, key string, p Paging) (*Page[Reference], error) {
	return get[Page[Reference]](ctx, s.c, aiToolAt(project, key), path("projects", project, "ai-tools", key, "references"), p.query())
}

// Create adds a tool.
func (s *AIToolsService) Create(ctx context.Context, project string, f AIToolFields) (*AITool, error) {
	return do[AITool](ctx, s.c, call{method: http.MethodPost, at: aiToolAt(project, f.Key), path: path("projects", project, "ai-tools"),
		body: f, contentType: jsonType, writes: true})
}

// Update makes a new version of a tool.
func (s *AIToolsService) Update(ctx context.Context, project, key string, f AIToolFields) (*AITool, error) {
	f.Key = ""
	return do[AITool](ctx, s.c, call{method: http.MethodPatch, at: aiToolAt(project, key), path: aiToolPath(project, key),
		body: f, contentType: jsonType, writes: true})
}

// Delete removes a tool with all its versions for good.
func (s *AIToolsService) Delete(ctx context.Context, project, key string) error {
	_, err := do[gone](ctx, s.c, call{method: http.MethodDelete, at: aiToolAt(project, key), path: aiToolPath(project, key), writes: true})
	return err
}

func aiToolAt(project, key string) Target {
	return Target{Project: project, Kind: "ai-tool", Key: key}
}

func aiToolPath(project, key string) apiPath {
	return path("projects", project, "ai-tools", key)
}

// Reference is a variation of an AI config that uses a version of a tool or a prompt snippet.
type Reference struct {
	Config         string `json:"aiConfigKey"`
	Variation      string `json:"variationKey"`
	VariationName  string `json:"variationName"`
	ToolVersion    int    `json:"toolVersion"`
	SnippetVersion int    `json:"resourceVersion"`
}
