package ldclient

import (
	"context"
	"encoding/json"
	"net/http"
)

// DefaultVariations are the indexes of the variations that a flag starts with in a new environment.
type DefaultVariations struct {
	OnVariation  int `json:"onVariation"`
	OffVariation int `json:"offVariation"`
}

// NewFlag is a flag that is yet to be created. Without variations it is a boolean one.
type NewFlag struct {
	Key                    string                  `json:"key"`
	Name                   string                  `json:"name"`
	Description            string                  `json:"description,omitempty"`
	Temporary              bool                    `json:"temporary"`
	Tags                   []string                `json:"tags,omitempty"`
	Variations             []NewVariation          `json:"variations,omitempty"`
	Defaults               *DefaultVariations      `json:"defaults,omitempty"`
	ClientSideAvailability *ClientSideAvailability `json:"clientSideAvailability,omitempty"`
	MaintainerID           string                  `json:"maintainerId,omitempty"`
	MaintainerTeamKey      string                  `json:"maintainerTeamKey,omitempty"`
}

// NewVariation is a variation that is yet to be added.
type NewVariation struct {
	Value       json.RawMessage `json:"value"`
	Name        string          `json:"name,omitempty"`
	Description string          `json:"description,omitempty"`
}

// Create adds a flag to a project, off in every environment.
func (s *FlagsService) Create(ctx context.Context, project string, f NewFlag) (*Flag, error) {
	return do[Flag](ctx, s.c, call{method: http.MethodPost, at: flagAt(project, "", f.Key), path: path("flags", project),
		body: f, contentType: jsonType, writes: true})
}

// Delete removes a flag for good.
func (s *FlagsService) Delete(ctx context.Context, project, key string) error {
	return erase(ctx, s.c, flagAt(project, "", key), path("flags", project, key))
}

// DependentFlag is a flag that has another one as a prerequisite.
type DependentFlag struct {
	Key          string `json:"key"`
	Environments []struct {
		Key string `json:"key"`
	} `json:"environments"`
}

// Dependents returns the flags that have a flag as a prerequisite in any environment.
func (s *FlagsService) Dependents(ctx context.Context, project, key string) ([]DependentFlag, error) {
	got, err := do[Page[DependentFlag]](ctx, s.c, call{method: http.MethodGet, at: flagAt(project, "", key),
		path: path("flags", project, key, "dependent-flags"), beta: true})
	if err != nil {
		return nil, err
	}
	return got.Items, nil
}

// FlagDefaults are what LaunchDarkly's own pages propose for a project's new flags.
type FlagDefaults struct {
	Tags                   []string                `json:"tags"`
	Temporary              *bool                   `json:"temporary"`
	ClientSideAvailability *ClientSideAvailability `json:"defaultClientSideAvailability"`
	Boolean                *BooleanFlagDefaults    `json:"booleanDefaults"`
}

func (d *FlagDefaults) missing() string {
	if d.Temporary == nil && d.ClientSideAvailability == nil && d.Boolean == nil && d.Tags == nil {
		return "flag defaults"
	}
	return ""
}

// BooleanFlagDefaults are the names and places of a new boolean flag's variations.
type BooleanFlagDefaults struct {
	TrueName         string `json:"trueDisplayName"`
	FalseName        string `json:"falseDisplayName"`
	TrueDescription  string `json:"trueDescription"`
	FalseDescription string `json:"falseDescription"`
	OnVariation      *int   `json:"onVariation"`
	OffVariation     *int   `json:"offVariation"`
}

// Defaults returns a project's flag defaults.
func (s *FlagsService) Defaults(ctx context.Context, project string) (*FlagDefaults, error) {
	return get[FlagDefaults](ctx, s.c, Target{Project: project}, path("projects", project, "flag-defaults"), nil)
}

// FlagRules are what a project wants of its new flags.
type FlagRules struct {
	Key                    string                  `json:"key"` // of the project
	NamingConvention       *NamingConvention       `json:"namingConvention"`
	ClientSideAvailability *ClientSideAvailability `json:"defaultClientSideAvailability"`
}

func (r *FlagRules) missing() string {
	if r.Key == "" {
		return "project"
	}
	return ""
}

// NamingConvention is how a project's flag keys are to be written.
type NamingConvention struct {
	Case   string `json:"case"` // camelCase, upperCamelCase, snakeCase, kebabCase, constantCase or none
	Prefix string `json:"prefix"`
}

// Rules returns what a project wants of its new flags.
func (s *FlagsService) Rules(ctx context.Context, project string) (*FlagRules, error) {
	return get[FlagRules](ctx, s.c, Target{Project: project}, path("projects", project), nil)
}
