package ldclient

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
)

// FlagsService reads and changes feature flags.
type FlagsService service

// Flag is a feature flag. What it holds of an environment depends on the request.
type Flag struct {
	Key                    string                    `json:"key"`
	Name                   string                    `json:"name"`
	Description            string                    `json:"description"`
	Kind                   string                    `json:"kind"` // boolean or multivariate
	Version                int                       `json:"_version"`
	CreationDate           Millis                    `json:"creationDate"`
	Variations             []Variation               `json:"variations"`
	Temporary              bool                      `json:"temporary"`
	Tags                   []string                  `json:"tags"`
	Maintainer             *Person                   `json:"_maintainer"`
	MaintainerID           string                    `json:"maintainerId"`
	MaintainerTeamKey      string                    `json:"maintainerTeamKey"`
	ClientSideAvailability ClientSideAvailability    `json:"clientSideAvailability"`
	CustomProperties       map[string]CustomProperty `json:"customProperties"`
	Archived               bool                      `json:"archived"`
	Deprecated             bool                      `json:"deprecated"`
	Defaults               *DefaultVariations        `json:"defaults"`
	Environments           map[string]FlagConfig     `json:"environments"`
	Migration              *struct{}                 `json:"migrationSettings"` // nil unless it is a migration flag
}

func (f *Flag) missing() string {
	if f.Key == "" {
		return "flag"
	}
	return ""
}

// Person is a member as other resources show them.
type Person struct {
	ID        string `json:"_id"`
	Email     string `json:"email"`
	FirstName string `json:"firstName"`
	LastName  string `json:"lastName"`
}

// String returns the person's name, or their email where there is none.
func (p *Person) String() string {
	if p == nil {
		return ""
	}
	if name := strings.TrimSpace(p.FirstName + " " + p.LastName); name != "" {
		return name
	}
	return p.Email
}

// Variation is one of the values that a flag can have.
type Variation struct {
	ID          string          `json:"_id"`
	Key         string          `json:"key"` // of an AI config's variation only
	Value       json.RawMessage `json:"value"`
	Name        string          `json:"name"`
	Description string          `json:"description"`
}

// ClientSideAvailability says which client-side SDKs see a flag.
type ClientSideAvailability struct {
	UsingMobileKey     bool `json:"usingMobileKey"`
	UsingEnvironmentID bool `json:"usingEnvironmentId"`
}

// CustomProperty is one custom property of a flag.
type CustomProperty struct {
	Name  string   `json:"name"`
	Value []string `json:"value"`
}

// FlagConfig is a flag's targeting in one environment. Variations are indexes into the flag's list.
type FlagConfig struct {
	On                     bool           `json:"on"`
	Version                int            `json:"version"`
	LastModified           Millis         `json:"lastModified"`
	Salt                   string         `json:"salt"`           // what rollouts divide by, besides the context; only when one flag is read
	Targets                []FlagTarget   `json:"targets"`        // kind user
	ContextTargets         []FlagTarget   `json:"contextTargets"` // other kinds, and empty placeholders of kind user
	Rules                  []Rule         `json:"rules"`
	Fallthrough            RuleServe      `json:"fallthrough"`
	OffVariation           *int           `json:"offVariation"` // nil where none is set
	Prerequisites          []Prerequisite `json:"prerequisites"`
	TrackEvents            bool           `json:"trackEvents"`
	TrackEventsFallthrough bool           `json:"trackEventsFallthrough"`
	Summary                FlagSummary    `json:"_summary"`
}

// FlagSummary is what a list tells of a flag's targeting.
type FlagSummary struct {
	Variations    map[string]VariationSummary `json:"variations"` // by index
	Prerequisites int                         `json:"prerequisites"`
}

// VariationSummary is how much of a flag's targeting leads to one variation.
type VariationSummary struct {
	Rules          int  `json:"rules"`
	Targets        int  `json:"targets"`
	ContextTargets int  `json:"contextTargets"`
	IsFallthrough  bool `json:"isFallthrough"`
	IsOff          bool `json:"isOff"`
	Rollout        int  `json:"rollout"` // thousandths of a percent
}

// FlagTarget is the contexts that are individually targeted with one variation.
type FlagTarget struct {
	Values      []string `json:"values"`
	Variation   int      `json:"variation"`
	ContextKind string   `json:"contextKind"`
}

// RuleServe is what a rule or the default rule gives.
type RuleServe struct {
	Variation *int     `json:"variation"`
	Rollout   *Rollout `json:"rollout"`
}

// InExperiment reports whether an experiment runs on what a rule gives, which must then not be edited.
func (s RuleServe) InExperiment() bool {
	return s.Rollout != nil && len(s.Rollout.ExperimentAllocation) > 0 && string(s.Rollout.ExperimentAllocation) != "null"
}

// Rollout divides contexts over variations.
type Rollout struct {
	Variations           []WeightedVariation `json:"variations"`
	BucketBy             string              `json:"bucketBy"`
	ContextKind          string              `json:"contextKind"`
	ExperimentAllocation json.RawMessage     `json:"experimentAllocation"` // set while an experiment runs
	Seed                 json.RawMessage     `json:"seed"`                 // stands in for key and salt; no instruction sets it
}

// WeightedVariation is one part of a rollout; Weight is in thousandths of a percent.
type WeightedVariation struct {
	Variation int  `json:"variation"`
	Weight    int  `json:"weight"`
	Untracked bool `json:"_untracked"` // outside of the experiment
}

// Rule is one targeting rule of a flag.
type Rule struct {
	ID          string   `json:"_id"`
	Clauses     []Clause `json:"clauses"`
	TrackEvents bool     `json:"trackEvents"`
	Description string   `json:"description"`
	Disabled    bool     `json:"disabled"`
	Ref         string   `json:"ref"` // a name that its maker gave it
	RuleServe
}

// Clause is one condition of a rule. A rule's clauses must all match; one of a clause's values is enough.
type Clause struct {
	ID          string `json:"_id,omitempty"`
	ContextKind string `json:"contextKind,omitempty"`
	Attribute   string `json:"attribute"`
	Op          string `json:"op"`
	Negate      bool   `json:"negate"`
	Values      []any  `json:"values"`
}

// Prerequisite is a flag that must give a certain variation first.
type Prerequisite struct {
	Key       string `json:"key"`
	Variation int    `json:"variation"` // index into the prerequisite's variations
}

// ListFlags are the filters of a list of flags.
type ListFlags struct {
	Paging
	Environment string   // state in this environment is shown
	Query       string   // part of a key or name
	Tags        []string // all of them
	State       string   // live, deprecated or archived
	Type        string   // temporary or permanent
	Sort        string   // a field, "-" first for descending
}

// flagFilterReserved are the characters that LaunchDarkly's "field:value" filters cannot hold.
const flagFilterReserved = ",+:"

func (o ListFlags) query() (url.Values, error) {
	q := o.Paging.query()
	if o.Environment != "" {
		q.Set("env", o.Environment)
	}
	var filter []string
	add := func(field, value string) {
		if value != "" {
			filter = append(filter, field+":"+value)
		}
	}
	for _, s := range append([]string{o.Query}, o.Tags...) {
		if strings.ContainsAny(s, flagFilterReserved) {
			return nil, &InvalidError{Message: "a filter may not hold any of , + and :"}
		}
	}
	add("query", o.Query)
	add("tags", strings.Join(o.Tags, "+"))
	add("state", o.State)
	add("type", o.Type)
	if len(filter) > 0 {
		q.Set("filter", strings.Join(filter, ","))
	}
	if o.Sort != "" {
		q.Set("sort", o.Sort)
	}
	return q, nil
}

// List returns one page of a project's flags, without their rules and targets.
func (s *FlagsService) List(ctx context.Context, project string, o ListFlags) (*Page[Flag], error) {
	q, err := o.query()
	if err != nil {
		return nil, err
	}
	return get[Page[Flag]](ctx, s.c, Target{Project: project, Environment: o.Environment}, path("flags", project), q)
}

// Get returns one flag with its targeting in one environment, or in all of them when environment is "".
func (s *FlagsService) Get(ctx context.Context, project, environment, key string) (*Flag, error) {
	q := url.Values{}
	if environment != "" {
		q.Set("env", environment)
	}
	return get[Flag](ctx, s.c, flagAt(project, environment, key), path("flags", project, key), q)
}

// Patch applies a semantic patch and returns the flag after it. environment is "" for instructions that concern the whole project.
func (s *FlagsService) Patch(ctx context.Context, project, environment, key string, p Patch) (*Flag, error) {
	return patch[Flag](ctx, s.c, flagAt(project, environment, key), path("flags", project, key), p)
}

// Statuses returns the status of each flag of a project in one environment, by flag key, in one request.
func (s *FlagsService) Statuses(ctx context.Context, project, environment string) (map[string]FlagStatus, error) {
	type item struct {
		FlagStatus
		Links struct {
			Self struct {
				Href string `json:"href"`
			} `json:"self"`
		} `json:"_links"`
	}
	got, err := get[Page[item]](ctx, s.c, Target{Project: project, Environment: environment}, path("flag-statuses", project, environment), nil)
	if err != nil {
		return nil, err
	}
	out := make(map[string]FlagStatus, len(got.Items))
	for _, i := range got.Items { // the list names its flags in links only
		if key, err := url.PathUnescape(i.Links.Self.Href[strings.LastIndexByte(i.Links.Self.Href, '/')+1:]); err == nil && key != "" {
			out[key] = i.FlagStatus
		}
	}
	return out, nil
}

func flagAt(project, environment, key string) Target {
	return Target{Project: project, Environment: environment, Kind: "flag", Key: key}
}
