package ldclient

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// AIConfigsService reads and changes AI configs, their variations and their targeting.
type AIConfigsService service

// AIConfig is prompts with their models, in variations that targeting chooses from.
type AIConfig struct {
	Key           string        `json:"key"`
	Name          string        `json:"name"`
	Description   string        `json:"description"`
	Mode          string        `json:"mode"` // agent, completion or judge
	Tags          []string      `json:"tags"`
	Version       int           `json:"version"`
	CreatedAt     Millis        `json:"createdAt"`
	UpdatedAt     Millis        `json:"updatedAt"`
	Variations    []AIVariation `json:"variations"` // without the one that is generated
	EvaluationKey string        `json:"evaluationMetricKey"`
	Maintainer    *struct {
		Person
		TeamKey string `json:"key"`
	} `json:"_maintainer"`
	Dependencies []struct {
		Type string `json:"type"` // agent-graph
		Key  string `json:"key"`
	} `json:"dependencies"` // what depends on it
	Behind string `json:"-"` // what it does not show of the latest writes through this client, "" if it shows all
}

func (c *AIConfig) missing() string {
	if c.Key == "" {
		return "AI config"
	}
	return ""
}

// AIVariation is the latest version of one variation.
type AIVariation struct {
	ID             string         `json:"_id"`
	Key            string         `json:"key"`
	Name           string         `json:"name"`
	Version        int            `json:"version"`
	State          string         `json:"state"` // published or archived
	CreatedAt      Millis         `json:"createdAt"`
	Comment        string         `json:"comment"`
	Description    *string        `json:"description"`
	Instructions   *string        `json:"instructions"` // of an agent; nil where LaunchDarkly does not show them
	Messages       []AIMessage    `json:"messages"`
	Model          map[string]any `json:"model"` // modelName, parameters, custom
	ModelConfigKey string         `json:"modelConfigKey"`
	Tools          []AIToolUse    `json:"tools"`
	Judges         AIJudges       `json:"judgeConfiguration"`
	Behind         string         `json:"-"` // as of AIConfig
}

func (v *AIVariation) missing() string {
	if v.Key == "" {
		return "AI config variation"
	}
	return ""
}

// AIMessage is one message of a prompt.
type AIMessage struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// AIToolUse is a tool that a variation offers its model.
type AIToolUse struct {
	Key     string `json:"key"`
	Version int    `json:"version"`
}

// AIJudges are the AI configs that score what a variation says.
type AIJudges struct {
	Judges []AIJudge `json:"judges"`
}

// AIJudge is one of them. Rate is the part that it scores, 0 to 1.
type AIJudge struct {
	Key  string  `json:"judgeConfigKey"`
	Rate float64 `json:"samplingRate"`
}

// NewAIConfig is an AI config that is yet to be made.
type NewAIConfig struct {
	Key         string   `json:"key"`
	Name        string   `json:"name"`
	Mode        string   `json:"mode"`
	Description string   `json:"description,omitempty"` // LaunchDarkly refuses an empty one
	Tags        []string `json:"tags,omitempty"`
}

// AIConfigFields are what an update sets; what is nil stays.
type AIConfigFields struct {
	Name        *string   `json:"name,omitempty"`
	Description *string   `json:"description,omitempty"`
	Tags        *[]string `json:"tags,omitempty"`
}

// AIVariationFields are what creating and updating a variation set; what is left
// out stays. Lists and the model replace what was there.
type AIVariationFields struct {
	Key            string         `json:"key,omitempty"` // only when it is created
	Name           string         `json:"name,omitempty"`
	Comment        string         `json:"comment,omitempty"`
	Description    *string        `json:"description,omitempty"`
	Instructions   *string        `json:"instructions,omitempty"`
	Messages       *[]AIMessage   `json:"messages,omitempty"`
	Model          map[string]any `json:"model,omitempty"`
	ModelConfigKey string         `json:"modelConfigKey,omitempty"`
	Tools          *[]AIToolUse   `json:"tools,omitempty"`
	Judges         *AIJudges      `json:"judgeConfiguration,omitempty"`
}

// List returns one page of a project's AI configs.
func (s *AIConfigsService) List(ctx context.Context, project string, p Paging) (*Page[AIConfig], error) {
	return get[Page[AIConfig]](ctx, s.c, Target{Project: project}, path("projects", project, "ai-configs"), p.query())
}

// Get returns one AI config. LaunchDarkly shows changes late, so a read that does
// not show a late write through this client is made again for some seconds.
func (s *AIConfigsService) Get(ctx context.Context, project, key string) (*AIConfig, error) {
	at := aiConfigAt(project, "", key)
	return settled(ctx, s.c, at, func(ctx context.Context) (*AIConfig, error) {
		return get[AIConfig](ctx, s.c, at, aiConfigPath(at), nil)
	}, func(got *AIConfig) string {
		got.Behind = s.c.written.behind(at, func(part string) (int, bool) {
			if part == wholeConfig {
				return got.Version, true
			}
			i := slices.IndexFunc(got.Variations, func(v AIVariation) bool { return "variation "+v.Key == part })
			if i < 0 {
				return 0, false
			}
			return got.Variations[i].Version, true
		})
		return got.Behind
	})
}

// Create adds an AI config, which serves nobody anything yet.
func (s *AIConfigsService) Create(ctx context.Context, project string, n NewAIConfig) (*AIConfig, error) {
	at := aiConfigAt(project, "", n.Key)
	got, err := do[AIConfig](ctx, s.c, call{method: http.MethodPost, at: at, path: path("projects", project, "ai-configs"), body: n, contentType: jsonType, writes: true})
	if err == nil {
		s.c.written.wrote(at, wholeConfig, got.Version)
		got.Behind = s.stillBehind(ctx, at)
	}
	return got, err
}

// Update changes the settings of an AI config.
func (s *AIConfigsService) Update(ctx context.Context, project, key string, f AIConfigFields) (*AIConfig, error) {
	at := aiConfigAt(project, "", key)
	got, err := do[AIConfig](ctx, s.c, call{method: http.MethodPatch, at: at, path: aiConfigPath(at), body: f, contentType: jsonType, writes: true})
	if err == nil {
		s.c.written.wrote(at, wholeConfig, got.Version)
		got.Behind = s.stillBehind(ctx, at)
	}
	return got, err
}

// Delete removes an AI config for good. Soon after a change of its variations
// LaunchDarkly refuses that, so a refusal that reads like this is waited out for some seconds.
func (s *AIConfigsService) Delete(ctx context.Context, project, key string) error {
	at := aiConfigAt(project, "", key)
	for n := 0; ; n++ {
		_, err := do[gone](ctx, s.c, call{method: http.MethodDelete, at: at, path: aiConfigPath(at), writes: true})
		if err == nil {
			s.c.written.removed(at, wholeConfig)
		}
		if !IsNotDeletableYet(err) || !pause(ctx, n) {
			return err
		}
	}
}

// IsNotDeletableYet reports whether an AI config could not be deleted for now.
func IsNotDeletableYet(err error) bool {
	return Status(err) == http.StatusBadRequest && strings.Contains(strings.ToLower(err.Error()), "could not delete")
}

// CreateVariation adds a variation, which targeting may then serve.
func (s *AIConfigsService) CreateVariation(ctx context.Context, project, config string, f AIVariationFields) (*AIVariation, error) {
	at := aiConfigAt(project, "", config)
	got, err := do[AIVariation](ctx, s.c, call{method: http.MethodPost, at: at, path: aiConfigPath(at, "variations"), body: f, contentType: jsonType, writes: true})
	return s.wroteVariation(ctx, at, got, err)
}

// UpdateVariation makes a new version of a variation, which is served at once wherever the variation is.
func (s *AIConfigsService) UpdateVariation(ctx context.Context, project, config, key string, f AIVariationFields) (*AIVariation, error) {
	at := aiConfigAt(project, "", config)
	f.Key = ""
	got, err := do[AIVariation](ctx, s.c, call{method: http.MethodPatch, at: at, path: aiConfigPath(at, "variations", key), body: f, contentType: jsonType, writes: true})
	return s.wroteVariation(ctx, at, got, err)
}

func (s *AIConfigsService) wroteVariation(ctx context.Context, at Target, got *AIVariation, err error) (*AIVariation, error) {
	if err == nil {
		s.c.written.wrote(at, "variation "+got.Key, got.Version)
		got.Behind = s.stillBehind(ctx, at)
	}
	return got, err
}

// stillBehind waits until LaunchDarkly shows what was written, and tells what it does not show in the end.
func (s *AIConfigsService) stillBehind(ctx context.Context, at Target) string {
	seen, err := s.Get(Fresh(ctx), at.Project, at.Key)
	if err != nil {
		return "it could not be read back"
	}
	return seen.Behind
}

// DeleteVariation removes a variation with all its versions for good.
func (s *AIConfigsService) DeleteVariation(ctx context.Context, project, config, key string) error {
	at := aiConfigAt(project, "", config)
	_, err := do[gone](ctx, s.c, call{method: http.MethodDelete, at: at, path: aiConfigPath(at, "variations", key), writes: true})
	if err == nil {
		s.c.written.removed(at, "variation "+key)
	}
	return err
}

// AIMetrics is what an AI config was used for in some time. Times and tokens are totals.
type AIMetrics struct {
	InputTokens    int64   `json:"inputTokens"`
	OutputTokens   int64   `json:"outputTokens"`
	TotalTokens    int64   `json:"totalTokens"`
	Generations    int64   `json:"generationCount"`
	Successes      int64   `json:"generationSuccessCount"`
	Errors         int64   `json:"generationErrorCount"`
	ThumbsUp       int64   `json:"thumbsUp"`
	ThumbsDown     int64   `json:"thumbsDown"`
	DurationMillis int64   `json:"durationMs"`
	FirstToken     int64   `json:"timeToFirstTokenMs"`
	Satisfaction   float64 `json:"satisfactionRating"` // 0 to 1
	InputCost      float64 `json:"inputCost"`          // USD
	OutputCost     float64 `json:"outputCost"`
	Accuracy       float64 `json:"judgeAccuracy"` // 0 to 1
	Relevance      float64 `json:"judgeRelevance"`
	Toxicity       float64 `json:"judgeToxicity"`
	read           bool
}

// UnmarshalJSON tells an AI config that was not used, all of whose numbers may be left out, from no reply.
func (m *AIMetrics) UnmarshalJSON(b []byte) error {
	type plain AIMetrics
	err := json.Unmarshal(b, (*plain)(m))
	m.read = string(b) != "null"
	return err
}

func (m *AIMetrics) missing() string {
	if !m.read {
		return "metrics"
	}
	return ""
}

// AIVariationMetrics is the part of one variation.
type AIVariationMetrics struct {
	Variation string    `json:"variationKey"`
	Metrics   AIMetrics `json:"metrics"`
}

// Metrics returns what an AI config was used for in one environment, from a time up to another.
func (s *AIConfigsService) Metrics(ctx context.Context, project, environment, key string, from, to Millis) (*AIMetrics, error) {
	at := aiConfigAt(project, environment, key)
	return get[AIMetrics](ctx, s.c, at, aiConfigPath(at, "metrics"), metricsQuery(environment, from, to))
}

// MetricsByVariation is Metrics for each variation.
func (s *AIConfigsService) MetricsByVariation(ctx context.Context, project, environment, key string, from, to Millis) ([]AIVariationMetrics, error) {
	at := aiConfigAt(project, environment, key)
	got, err := get[[]AIVariationMetrics](ctx, s.c, at, aiConfigPath(at, "metrics-by-variation"), metricsQuery(environment, from, to))
	if err != nil {
		return nil, err
	}
	return *got, nil
}

func metricsQuery(environment string, from, to Millis) url.Values {
	return url.Values{"env": {environment}, "from": {strconv.FormatInt(int64(from), 10)}, "to": {strconv.FormatInt(int64(to), 10)}}
}

func aiConfigAt(project, environment, key string) Target {
	return Target{Project: project, Environment: environment, Kind: "aiconfig", Key: key}
}

func aiConfigPath(at Target, more ...any) apiPath {
	return path(append([]any{"projects", at.Project, "ai-configs", at.Key}, more...)...)
}
