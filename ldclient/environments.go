package ldclient

import (
	"context"
	"net/http"

	"github.com/ld-mcp/ld-mcp/ldclient/policy"
)

// EnvironmentsService reads and changes environments.
type EnvironmentsService service

// Environment is one environment of a project. Its SDK and mobile keys are not decoded.
type Environment struct {
	ID                string   `json:"_id"` // the client-side ID, which is public
	Key               string   `json:"key"`
	Name              string   `json:"name"`
	Color             string   `json:"color"` // six hexadecimal digits
	Tags              []string `json:"tags"`
	Critical          Mark     `json:"critical"`
	RequireComments   Mark     `json:"requireComments"`
	ConfirmChanges    Mark     `json:"confirmChanges"`
	SecureMode        bool     `json:"secureMode"`
	DefaultTTL        int      `json:"defaultTtl"` // minutes
	TrackEvents       bool     `json:"defaultTrackEvents"`
	ApprovalSettings  Approval `json:"approvalSettings"`
	ResourceApprovals struct {
		Segment  Approval `json:"segment"`
		AIConfig Approval `json:"aiconfig"`
	} `json:"resourceApprovalSettings"`
}

// Mark is a safety setting of an environment. It is off only where LaunchDarkly
// says false: one that is absent or not understood counts as on.
type Mark struct{ off, on bool }

// UnmarshalJSON reads false as off and anything else as on.
func (m *Mark) UnmarshalJSON(b []byte) error {
	m.off, m.on = string(b) == "false", string(b) == "true"
	return nil
}

// Known is what LaunchDarkly said of the setting: unknown where it said nothing that is understood.
func (m Mark) Known() policy.Verdict {
	if !m.on && !m.off {
		return policy.Unknown
	}
	return policy.Known(m.on)
}

// On reports whether the setting is on.
func (m Mark) On() bool { return !m.off }

func (e *Environment) missing() string {
	if e.Key == "" {
		return "environment"
	}
	return ""
}

// Approval is what an environment asks for before a change of one kind of resource.
type Approval struct {
	Required             bool     `json:"required"`
	MinNumApprovals      int      `json:"minNumApprovals"`
	RequiredApprovalTags []string `json:"requiredApprovalTags"` // only resources with one of these tags need it
	ServiceKind          string   `json:"serviceKind"`          // launchdarkly, or where else requests are reviewed
}

// List returns one page of a project's environments.
func (s *EnvironmentsService) List(ctx context.Context, project string, p Paging) (*Page[Environment], error) {
	return get[Page[Environment]](ctx, s.c, Target{Project: project}, path("projects", project, "environments"), p.query())
}

// All returns every environment of a project, in as few requests as the API allows.
func (s *EnvironmentsService) All(ctx context.Context, project string) ([]Environment, error) {
	var out []Environment
	for e, err := range All(func(offset int) (*Page[Environment], error) {
		return s.List(ctx, project, Paging{Limit: 100, Offset: offset})
	}) {
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// Get returns one environment.
func (s *EnvironmentsService) Get(ctx context.Context, project, key string) (*Environment, error) {
	return get[Environment](ctx, s.c, Target{Project: project, Environment: key}, path("projects", project, "environments", key), nil)
}

// NewEnvironment is an environment that is yet to be created.
type NewEnvironment struct {
	Key             string   `json:"key"`
	Name            string   `json:"name"`
	Color           string   `json:"color"`
	Tags            []string `json:"tags,omitempty"`
	Critical        bool     `json:"critical,omitempty"`
	RequireComments bool     `json:"requireComments,omitempty"`
	ConfirmChanges  bool     `json:"confirmChanges,omitempty"`
	SecureMode      bool     `json:"secureMode,omitempty"`
	TrackEvents     bool     `json:"defaultTrackEvents,omitempty"`
	DefaultTTL      int      `json:"defaultTtl,omitempty"` // minutes
	Source          *Source  `json:"source,omitempty"`
}

// Source is the environment whose flags and segments a new one begins with.
type Source struct {
	Key string `json:"key"`
}

// Create creates an environment.
func (s *EnvironmentsService) Create(ctx context.Context, project string, in NewEnvironment) (*Environment, error) {
	return do[Environment](ctx, s.c, call{method: http.MethodPost, at: Target{Project: project, Kind: "env", Key: in.Key},
		path: path("projects", project, "environments"), body: in, contentType: jsonType, writes: true})
}

// Update changes an environment by JSON Patch.
func (s *EnvironmentsService) Update(ctx context.Context, project, key string, steps []Operation) (*Environment, error) {
	return patchJSON[Environment](ctx, s.c, Target{Project: project, Environment: key}, path("projects", project, "environments", key), steps)
}
