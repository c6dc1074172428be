package ldclient

import "context"

// ModelConfigsService reads the models that AI configs may use.
type ModelConfigsService service

// ModelConfig is a model that variations of AI configs may use.
type ModelConfig struct {
	Key        string   `json:"key"` // such as OpenAI.gpt-4o
	ID         string   `json:"id"`  // the provider's
	Name       string   `json:"name"`
	Provider   string   `json:"provider"`
	Global     bool     `json:"global"` // LaunchDarkly's own
	Restricted bool     `json:"isRestricted"`
	Tags       []string `json:"tags"`
	InputCost  float64  `json:"costPerInputToken"` // USD
	OutputCost float64  `json:"costPerOutputToken"`
}

// List returns all models of a project: LaunchDarkly's and its own.
func (s *ModelConfigsService) List(ctx context.Context, project string) ([]ModelConfig, error) {
	got, err := get[modelList](ctx, s.c, Target{Project: project}, path("projects", project, "ai-configs", "model-configs"), nil)
	if err != nil {
		return nil, err
	}
	return *got, nil
}

// modelList comes in no envelope.
type modelList []ModelConfig

func (l *modelList) missing() string {
	if *l == nil {
		return "list"
	}
	return ""
}
