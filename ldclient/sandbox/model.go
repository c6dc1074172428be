package sandbox

import (
	"encoding/json"

	"github.com/ld-mcp/ld-mcp/ldclient/policy"
)

// The account's state. JSON names are the API's; fields without one are ours.

type project struct {
	ID      string
	Key     string
	Created int64
	Envs    []*environment
	Flags   []*flag // in order of creation, archived ones included

	Policies  []*releasePolicy        // first wins
	Pipelines []*releasePipeline      // in order of creation
	Progress  map[*flag]*flagProgress // through a pipeline
	metricState
	experimentState
	aiConfigState
	aiToolState
	agentGraphState
	viewState
	projectSettings
}

// projectSettings is what a JSON Patch may change of a project.
type projectSettings struct {
	Name                          string            `json:"name"`
	Tags                          []string          `json:"tags"`
	IncludeInSnippetByDefault     bool              `json:"includeInSnippetByDefault"`
	DefaultClientSideAvailability clientSide        `json:"defaultClientSideAvailability"`
	DefaultReleasePipelineKey     string            `json:"defaultReleasePipelineKey,omitempty"`
	NamingConvention              *namingConvention `json:"namingConvention,omitempty"`
}

type namingConvention struct {
	Case   string `json:"case,omitempty"`
	Prefix string `json:"prefix,omitempty"`
}

type environment struct {
	ID        string // the client-side ID
	Key       string
	APIKey    string // secret: the SDK key
	MobileKey string // secret
	Created   int64
	Segments  []*segment
	environmentSettings
	SegmentApprovals  approvalSettings
	AIConfigApprovals approvalSettings
}

// environmentSettings is what a JSON Patch may change of an environment.
type environmentSettings struct {
	Name               string           `json:"name"`
	Color              string           `json:"color"`
	DefaultTTL         int              `json:"defaultTtl"` // minutes
	SecureMode         bool             `json:"secureMode"`
	DefaultTrackEvents bool             `json:"defaultTrackEvents"`
	RequireComments    bool             `json:"requireComments"`
	ConfirmChanges     bool             `json:"confirmChanges"`
	Tags               []string         `json:"tags"`
	Critical           bool             `json:"critical"`
	FlagApprovals      approvalSettings `json:"approvalSettings"`
}

type approvalSettings struct {
	Required                bool     `json:"required"`
	BypassForPendingChanges bool     `json:"bypassApprovalsForPendingChanges"`
	MinNumApprovals         int      `json:"minNumApprovals"`
	CanReviewOwnRequest     bool     `json:"canReviewOwnRequest"`
	CanApplyDeclinedChanges bool     `json:"canApplyDeclinedChanges"`
	AutoApplyApproved       bool     `json:"autoApplyApprovedChanges"`
	ServiceKind             string   `json:"serviceKind"`
	ServiceConfig           struct{} `json:"serviceConfig"`
	RequiredApprovalTags    []string `json:"requiredApprovalTags"`
}

type flag struct {
	Key                    string                    `json:"key"`
	Name                   string                    `json:"name"`
	Description            string                    `json:"description"`
	Kind                   string                    `json:"kind"` // boolean or multivariate
	Version                int                       `json:"_version"`
	CreationDate           int64                     `json:"creationDate"`
	Variations             []variation               `json:"variations"`
	Temporary              bool                      `json:"temporary"`
	Tags                   []string                  `json:"tags"`
	MaintainerID           string                    `json:"maintainerId,omitempty"`
	MaintainerTeamKey      string                    `json:"maintainerTeamKey,omitempty"`
	ClientSideAvailability clientSide                `json:"clientSideAvailability"`
	IncludeInSnippet       bool                      `json:"includeInSnippet"`
	CustomProperties       map[string]customProperty `json:"customProperties"`
	Archived               bool                      `json:"archived"`
	ArchivedDate           int64                     `json:"archivedDate,omitempty"`
	Deprecated             bool                      `json:"deprecated"`
	DeprecatedDate         int64                     `json:"deprecatedDate,omitempty"`
	Defaults               flagDefaults              `json:"defaults"`
	Environments           map[string]*flagConfig    `json:"environments"`

	Status   map[string]flagStatus `json:"-"` // by environment key
	Releases []release             `json:"-"` // guarded and progressive rollouts, oldest first
}

type flagStatus struct {
	LastRequested int64 // epoch ms; 0 is never
}

type clientSide struct {
	UsingMobileKey     bool `json:"usingMobileKey"`
	UsingEnvironmentID bool `json:"usingEnvironmentId"`
}

type customProperty struct {
	Name  string   `json:"name"`
	Value []string `json:"value"`
}

type flagDefaults struct {
	OnVariation  int `json:"onVariation"`
	OffVariation int `json:"offVariation"`
}

type variation struct {
	ID          string          `json:"_id"`
	Value       json.RawMessage `json:"value"`
	Name        string          `json:"name,omitempty"`
	Description string          `json:"description,omitempty"`
}

type flagConfig struct {
	On                     bool           `json:"on"`
	Archived               bool           `json:"archived"`
	Salt                   string         `json:"salt"`
	Sel                    string         `json:"sel"`
	LastModified           int64          `json:"lastModified"`
	Version                int            `json:"version"`
	Targets                []flagTarget   `json:"targets"`        // kind user
	ContextTargets         []flagTarget   `json:"contextTargets"` // the other kinds; placeholders of kind user are added when it is shown
	Rules                  []*flagRule    `json:"rules"`
	Fallthrough            serve          `json:"fallthrough"`
	OffVariation           *int           `json:"offVariation,omitempty"`
	Prerequisites          []prerequisite `json:"prerequisites"`
	TrackEvents            bool           `json:"trackEvents"`
	TrackEventsFallthrough bool           `json:"trackEventsFallthrough"`
	EnvironmentName        string         `json:"_environmentName"`
}

type flagTarget struct {
	Values      []string `json:"values"`
	Variation   int      `json:"variation"`
	ContextKind string   `json:"contextKind"`
}

// serve is what a rule or the fallthrough gives: a variation index or a rollout.
type serve struct {
	Variation *int     `json:"variation,omitempty"`
	Rollout   *rollout `json:"rollout,omitempty"`
}

type rollout struct {
	Variations  []weightedVariation `json:"variations"`
	BucketBy    string              `json:"bucketBy,omitempty"`
	ContextKind string              `json:"contextKind,omitempty"`
	Seed        *int                `json:"seed,omitempty"`

	ExperimentAllocation *experimentAllocation `json:"experimentAllocation,omitempty"` // while an experiment runs
}

type weightedVariation struct {
	Variation int `json:"variation"`
	Weight    int `json:"weight"` // thousandths of a percent

	Untracked bool `json:"_untracked,omitempty"` // outside of the experiment
}

type flagRule struct {
	ID          string   `json:"_id"`
	Clauses     []clause `json:"clauses"`
	TrackEvents bool     `json:"trackEvents"`
	Description string   `json:"description,omitempty"`
	Ref         string   `json:"ref,omitempty"`
	serve
}

type clause struct {
	ID          string            `json:"_id"`
	Attribute   string            `json:"attribute"`
	Op          string            `json:"op"`
	Values      []json.RawMessage `json:"values"`
	ContextKind string            `json:"contextKind"`
	Negate      bool              `json:"negate"`
}

type prerequisite struct {
	Key       string `json:"key"`
	Variation int    `json:"variation"`
}

type segment struct {
	Key                  string          `json:"key"`
	Name                 string          `json:"name"`
	Description          string          `json:"description,omitempty"`
	Tags                 []string        `json:"tags"`
	CreationDate         int64           `json:"creationDate"`
	LastModifiedDate     int64           `json:"lastModifiedDate"`
	Version              int             `json:"version"`
	Generation           int             `json:"generation"`
	Deleted              bool            `json:"deleted"`
	Included             []string        `json:"included"` // kind user
	Excluded             []string        `json:"excluded"`
	IncludedContexts     []segmentTarget `json:"includedContexts"` // the other kinds
	ExcludedContexts     []segmentTarget `json:"excludedContexts"`
	Rules                []*segmentRule  `json:"rules"`
	Unbounded            bool            `json:"unbounded"`
	UnboundedContextKind string          `json:"unboundedContextKind,omitempty"`
	Salt                 string          `json:"-"`

	BigIncluded map[string]bool  `json:"-"` // members of a big segment, never listed by the API
	BigExcluded map[string]bool  `json:"-"`
	Imports     []*segmentImport `json:"-"`
}

type segmentTarget struct {
	Values      []string `json:"values"`
	ContextKind string   `json:"contextKind"`
}

type segmentRule struct {
	ID                 string   `json:"_id"`
	Clauses            []clause `json:"clauses"`
	Weight             *int     `json:"weight,omitempty"` // thousandths of a percent; nil is everyone
	RolloutContextKind string   `json:"rolloutContextKind,omitempty"`
	BucketBy           string   `json:"bucketBy,omitempty"`
	Description        string   `json:"description,omitempty"`
}

type member struct {
	ID          string
	Email       string
	FirstName   string
	LastName    string
	Role        string
	CustomRoles []string
	Teams       []string // team keys
	Attributes  policy.Attributes
	Grants      []Grant
	LastSeen    int64
	Created     int64
	Pending     bool // the invitation was not accepted yet
}

type team struct {
	Key, Name, Description string
	Roles                  []string
	Maintainers            []*member
	Attributes             policy.Attributes
	Created                int64
}

type role struct {
	ID, Key, Name, Description string
	BasePermissions            string
	Policy                     json.RawMessage
}

// token is an access token's metadata.
type token struct {
	ID, Name string
	Value    string // "" for a token that nobody can use here
	Ending   string // the value's last four characters
	Role     string
	Member   *member // nil for a service token
	Enforced bool    // it may do what its roles say, not just whether it may write

	InlineRole    []policy.Statement
	CustomRoleIDs []string
	Created       int64
	LastUsed      int64
}

// repository is a code repository that reports where flags are used.
type repository struct {
	Name, Type, SourceLink, DefaultBranch string
	Head                                  string // the default branch's latest commit
	Updated                               int64
	References                            []codeReference
	Extinctions                           []extinction
}

type codeReference struct {
	Project, Flag, Path string
	Line                int
	Lines               string
	Aliases             []string
}

// seenContext is a context that an SDK has reported lately.
type seenContext struct {
	Project, Env  string
	Kind, Key     string
	Attributes    map[string]any
	Redacted      []string // names of attributes that SDKs kept to themselves
	ApplicationID string
	LastSeen      int64
}

// change is what a handler reports for the audit log after it has changed something.
type change struct {
	Kind       string   // flag, segment, environment, project, ...
	Name       string   // the name of what changed
	Resource   string   // its resource specifier
	Actions    []string // role actions used, such as updateOn
	Verb       string   // titleVerb, such as "turned on the flag"
	Text       string   // description, in Markdown
	Comment    string
	Before     json.RawMessage // previousVersion
	After      json.RawMessage // currentVersion
	ParentName string
	Parent     string // the parent's resource specifier
}

// auditEntry is one line of the audit log.
type auditEntry struct {
	ID   string
	Date int64
	change
	Member *member // nil for a service token
	Token  *token  // nil for the web page
	// Versions gives Before and After where they are written out only on demand.
	Versions func() (before, after json.RawMessage)
}
