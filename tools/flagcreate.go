package tools

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/ld-mcp/ld-mcp/internal/pattern"
	"github.com/ld-mcp/ld-mcp/internal/typo"
	"github.com/ld-mcp/ld-mcp/ldclient"
)

// newFlag is a flag as a caller writes it.
type newFlag struct {
	Key          string           `json:"key" alias:"flagKey,featureFlagKey" doc:"For good"`
	Name         string           `json:"name" jsonschema:"minLength=1"`
	Description  string           `json:"description,omitempty"`
	Kind         string           `json:"kind,omitempty" jsonschema:"enum=boolean,enum=multivariate"`
	Variations   []variationInput `json:"variations,omitempty" doc:"Of one type; true and false if not given"`
	OnVariation  string           `json:"onVariation,omitempty" doc:"The first if not given"`
	OffVariation string           `json:"offVariation,omitempty" doc:"The last if not given"`
	Temporary    *bool            `json:"temporary,omitempty" doc:"Default true"`
	Tags         []string         `json:"tags,omitempty"`
	Maintainer   string           `json:"maintainer,omitempty" alias:"maintainerId" doc:"A member's id, email or name; you if not given"`
	ClientSide   *clientSideInput `json:"clientSideAvailability,omitempty" doc:"Project's default if not given"`
}

type variationInput struct {
	Value       anyValue `json:"value"`
	Name        string   `json:"name,omitempty"`
	Description string   `json:"description,omitempty"`
}

type clientSideInput struct {
	UsingMobileKey     bool `json:"usingMobileKey,omitempty"`
	UsingEnvironmentID bool `json:"usingEnvironmentId,omitempty"`
}

// newFlagView is a flag that was created. Off everywhere, it has no targeting to show.
type newFlagView struct {
	Key          string          `json:"key"`
	Name         string          `json:"name"`
	Kind         string          `json:"kind"`
	Variations   []variationView `json:"variations"`
	OnVariation  string          `json:"onVariation"`
	OffVariation string          `json:"offVariation"`
	Temporary    bool            `json:"temporary"`
	Tags         []string        `json:"tags,omitempty"`
	ClientSide   []string        `json:"clientSide,omitempty" doc:"client-side SDKs that see the flag"`
	Maintainer   string          `json:"maintainer,omitempty"`
	URL          string          `json:"url,omitempty"`
}

var createFlag = create(Spec{
	Name: "create-flag", Title: "Create a flag", Action: "createFlag",
	Doc: "Create a flag that is off in every environment, by default a temporary boolean one. Search with list-flags first: there may be one already.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	inNewFlag
	because
}) (*plan[newFlagView], error) {
	return planFlag(ctx, ld, in.target(), in.newFlag, nil)
})

type inNewFlag struct {
	Project string `json:"projectKey" alias:"project"`
	newFlag
}

func (a inNewFlag) target() ldclient.Target {
	return ldclient.Target{Project: a.Project, Kind: "flag", Key: a.Key}
}

// inFlagBody is how the older local server took a new flag.
type inFlagBody struct {
	Project string `json:"projectKey"`
	Body    struct {
		newFlag
		Defaults *ldclient.DefaultVariations `json:"defaults,omitempty" brief:"true" doc:"Indexes of the variations served when targeting is on and off"`
	} `json:"FeatureFlagBody" doc:"The flag"`
}

func (a inFlagBody) target() ldclient.Target {
	return ldclient.Target{Project: a.Project, Kind: "flag", Key: a.Body.Key}
}

var createFeatureFlag = create(Spec{
	Name: "create-feature-flag", Title: "Create a flag", Action: "createFlag", StandsFor: []string{"create-flag"},
	Doc: "Create a feature flag. The older name of create-flag.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	inFlagBody
	because
}) (*plan[newFlagView], error) {
	return planFlag(ctx, ld, in.target(), in.Body.newFlag, in.Body.Defaults)
})

func planFlag(ctx context.Context, ld *ldclient.Client, at ldclient.Target, in newFlag, defaults *ldclient.DefaultVariations) (*plan[newFlagView], error) {
	if err := checkNewKey(in.Key); err != nil {
		return nil, err
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, badf("tags: %v", err)
	}
	f := ldclient.NewFlag{Key: in.Key, Name: in.Name, Description: in.Description, Temporary: in.Temporary == nil || *in.Temporary, Tags: in.Tags}
	shown, notes, err := in.variations(&f, defaults)
	if err != nil {
		return nil, err
	}
	rules, err := ld.Flags.Rules(ctx, at.Project)
	if err != nil {
		return nil, err
	}
	if err := followsConvention(in.Key, rules.NamingConvention); err != nil {
		return nil, err
	}
	// LaunchDarkly's own default is not the project's.
	f.ClientSideAvailability = rules.ClientSideAvailability
	if in.ClientSide != nil {
		f.ClientSideAvailability = &ldclient.ClientSideAvailability{UsingMobileKey: in.ClientSide.UsingMobileKey, UsingEnvironmentID: in.ClientSide.UsingEnvironmentID}
	}
	switch taken, err := ld.Flags.Get(ctx, at.Project, "", in.Key); {
	case ldclient.IsNotFound(err):
	case err != nil:
		return nil, err
	case taken.Archived:
		return nil, badf("the key %s belongs to an archived flag (%s); restore-flag brings it back, or choose another key", in.Key, short(clean(taken.Name), 60))
	default:
		return nil, badf("there is a flag %s already (%s); read it with get-flag, or choose another key", in.Key, short(clean(taken.Name), 60))
	}
	who := ""
	if in.Maintainer != "" {
		m, err := memberMeant(ctx, ld, in.Maintainer)
		if err != nil {
			return nil, err
		}
		f.MaintainerID, who = m.ID, m.String()
	}
	if near := similarFlags(ctx, ld, at); len(near) > 0 {
		notes = append(notes, "similar flags exist already: "+strings.Join(near, ", "))
	}
	p := &plan[newFlagView]{intent: intent{
		Says:    fmt.Sprintf("create %s flag %s in project %s, off in every environment", shown.Kind, in.Key, at.Project),
		Version: "none", Notes: notes,
	}}
	p.Apply = func(ctx context.Context, how manner) (*newFlagView, error) {
		if how.DryRun {
			shown.Name, shown.Temporary, shown.Tags = f.Name, f.Temporary, f.Tags
			if f.ClientSideAvailability != nil {
				shown.ClientSideAvailability = *f.ClientSideAvailability
			}
			view := newFlagViewOf(shown)
			view.Maintainer = who
			return &view, nil
		}
		got, err := ld.Flags.Create(ctx, at.Project, f)
		if err != nil {
			return nil, err
		}
		view := newFlagViewOf(got)
		view.URL = pageURL(ld, at)
		return &view, nil
	}
	return p, nil
}

func newFlagViewOf(f *ldclient.Flag) newFlagView {
	v := newFlagView{Key: f.Key, Name: f.Name, Kind: f.Kind, Variations: variationViews(f), Temporary: f.Temporary,
		Tags: f.Tags, ClientSide: clientSideOf(f.ClientSideAvailability), Maintainer: maintainer(f)}
	if f.Defaults != nil {
		v.OnVariation, v.OffVariation = label(f, f.Defaults.OnVariation), label(f, f.Defaults.OffVariation)
	}
	return v
}

func variationViews(f *ldclient.Flag) []variationView {
	out := make([]variationView, len(f.Variations))
	for i, v := range f.Variations {
		out[i] = variationView{ID: v.ID, Value: decoded(v.Value), Name: v.Name, Description: v.Description}
	}
	return out
}

// variations puts the variations and what is served by default into f, and returns the flag as it would be.
func (in newFlag) variations(f *ldclient.NewFlag, defaults *ldclient.DefaultVariations) (shown *ldclient.Flag, notes []string, err error) {
	shown = &ldclient.Flag{Key: in.Key, Kind: in.Kind, Variations: []ldclient.Variation{{Value: json.RawMessage("true")}, {Value: json.RawMessage("false")}}}
	switch {
	case len(in.Variations) > 0:
		if shown.Variations, notes, err = variationsMeant(in.Variations, in.Kind); err != nil {
			return nil, nil, err
		}
		if shown.Kind == "" {
			shown.Kind = "multivariate"
			if jsonType(shown.Variations[0].Value) == "boolean" {
				shown.Kind = "boolean"
			}
		}
		for _, v := range shown.Variations {
			f.Variations = append(f.Variations, ldclient.NewVariation{Value: v.Value, Name: v.Name, Description: v.Description})
		}
	case in.Kind == "multivariate":
		return nil, nil, badf("missing variations: a multivariate flag needs at least two, each with a value")
	default:
		shown.Kind = "boolean"
	}
	shown.Defaults = &ldclient.DefaultVariations{OffVariation: len(shown.Variations) - 1}
	if defaults != nil {
		shown.Defaults, f.Defaults = defaults, defaults
		if n := len(shown.Variations); min(defaults.OnVariation, defaults.OffVariation) < 0 || max(defaults.OnVariation, defaults.OffVariation) >= n {
			return nil, nil, badf("defaults: the variations have the indexes 0 to %d", n-1)
		}
	}
	for _, d := range []struct {
		name, said string
		index      *int
	}{{"onVariation", in.OnVariation, &shown.Defaults.OnVariation}, {"offVariation", in.OffVariation, &shown.Defaults.OffVariation}} {
		if d.said == "" {
			continue
		}
		i, err := variation(shown, d.said)
		if err != nil {
			return nil, nil, badf("%s: %v", d.name, err)
		}
		*d.index, f.Defaults = i, shown.Defaults
	}
	return shown, notes, nil
}

// variationsMeant checks variations as callers write them, who may have had to quote their values.
func variationsMeant(in []variationInput, kind string) ([]ldclient.Variation, []string, error) {
	var out []ldclient.Variation
	quotedNumbers := 0
	for n, v := range in {
		value := unquotedJSON(v.Value, kind == "boolean")
		if s := ""; json.Unmarshal(value, &s) == nil && jsonType(json.RawMessage(s)) == "number" {
			quotedNumbers++
		}
		for i, other := range out {
			if sameJSON(other.Value, value) {
				return nil, nil, badf("variations[%d] has the same value as variations[%d]; give each its own", n, i)
			}
		}
		out = append(out, ldclient.Variation{Value: value, Name: v.Name, Description: v.Description})
	}
	types := map[string]bool{}
	for _, v := range out {
		types[jsonType(v.Value)] = true
	}
	switch {
	case len(out) < 2:
		return nil, nil, badf("variations: a flag needs at least two")
	case types["null"]:
		return nil, nil, badf("variations: null is not a value that a flag can have")
	case len(types) > 1:
		return nil, nil, badf("variations: all values must be of one type, since code reads a flag as one type")
	case types["boolean"] != (kind == "boolean") && kind != "":
		return nil, nil, badf("variations: kind %s does not go with these values; a boolean flag has true and false, a multivariate one has others", kind)
	}
	var notes []string
	if quotedNumbers == len(out) {
		notes = append(notes, "the values were taken as strings; if numbers are meant, write them without quotes")
	}
	return out, notes, nil
}

// unquotedJSON reads what a string holds as JSON where that can be meant: objects and arrays, and true and false for a boolean flag.
func unquotedJSON(raw anyValue, boolean bool) json.RawMessage {
	s := ""
	if json.Unmarshal(raw, &s) != nil {
		return json.RawMessage(raw)
	}
	switch kind := jsonType(json.RawMessage(s)); {
	case kind == "object" || kind == "array", kind == "boolean" && boolean:
		return json.RawMessage(s)
	}
	return json.RawMessage(raw)
}

// jsonType names the type of a JSON value, "" for what is none.
func jsonType(raw json.RawMessage) string {
	raw = bytes.TrimSpace(raw)
	if !json.Valid(raw) {
		return ""
	}
	switch raw[0] {
	case '"':
		return "string"
	case '{':
		return "object"
	case '[':
		return "array"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	}
	return "number"
}

func sameJSON(a, b json.RawMessage) bool {
	return string(mustJSON(decoded(a))) == string(mustJSON(decoded(b)))
}

var newKey = pattern.Of(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

// checkNewKey holds new keys to what LaunchDarkly takes today; keys that exist may be older.
func checkNewKey(key string) error {
	if newKey().MatchString(key) && len(key) <= 256 {
		return nil
	}
	offer := inCase("kebabCase", key)
	if !newKey().MatchString(offer) || len(offer) > 256 {
		offer = "new-checkout"
	}
	return badf("key %q: a key begins with a letter or digit and holds letters, digits, \".\", \"_\" and \"-\", at most 256, such as %s", short(key, 100), offer)
}

// keyCases are LaunchDarkly's naming conventions.
var keyCases = map[string]func() *regexp.Regexp{
	"kebabCase":      pattern.Of(`^[a-z0-9]+(-[a-z0-9]+)*$`),
	"snakeCase":      pattern.Of(`^[a-z0-9]+(_[a-z0-9]+)*$`),
	"constantCase":   pattern.Of(`^[A-Z0-9]+(_[A-Z0-9]+)*$`),
	"camelCase":      pattern.Of(`^[a-z][a-zA-Z0-9]*$`),
	"upperCamelCase": pattern.Of(`^[A-Z][a-zA-Z0-9]*$`),
}

// followsConvention holds a new key to the project's naming convention, which LaunchDarkly checks on its own pages alone.
func followsConvention(key string, c *ldclient.NamingConvention) error {
	if c == nil {
		return nil
	}
	rest, ok := strings.CutPrefix(key, c.Prefix)
	if p := keyCases[c.Case]; ok && (p == nil || p().MatchString(rest)) {
		return nil
	}
	return badf("key %q does not follow the project's naming convention (%s); %q would", key, convention(c), c.Prefix+inCase(c.Case, rest))
}

func convention(c *ldclient.NamingConvention) string {
	var out []string
	if c.Case != "" && c.Case != "none" {
		out = append(out, c.Case)
	}
	if c.Prefix != "" {
		out = append(out, fmt.Sprintf("prefix %q", c.Prefix))
	}
	return strings.Join(out, ", ")
}

// inCase writes a key in one of LaunchDarkly's naming conventions, as it is where there is none.
func inCase(convention, key string) string {
	words := wordsOf(key)
	title := func(w string) string { return strings.ToUpper(w[:1]) + strings.ToLower(w[1:]) }
	join := func(sep string, form func(string) string) string {
		out := make([]string, len(words))
		for i, w := range words {
			out[i] = form(w)
		}
		return strings.Join(out, sep)
	}
	switch convention {
	case "kebabCase":
		return join("-", strings.ToLower)
	case "snakeCase":
		return join("_", strings.ToLower)
	case "constantCase":
		return join("_", strings.ToUpper)
	case "upperCamelCase":
		return join("", title)
	case "camelCase":
		s := join("", title)
		if len(words) > 0 {
			s = strings.ToLower(words[0]) + s[len(words[0]):]
		}
		return s
	}
	return key
}

// wordsOf splits a key at its separators and where a capital follows a small letter.
func wordsOf(key string) []string {
	var out []string
	for _, part := range strings.FieldsFunc(key, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		from := 0
		for i := 1; i < len(part); i++ {
			if unicode.IsUpper(rune(part[i])) && !unicode.IsUpper(rune(part[i-1])) {
				out, from = append(out, part[from:i]), i
			}
		}
		out = append(out, part[from:])
	}
	return out
}

var validTag = pattern.Of(`^[a-zA-Z0-9_.-]{1,64}$`)

func checkTags(tags []string) error {
	for _, t := range tags {
		if !validTag().MatchString(t) {
			return fmt.Errorf("%q is not a tag, which has 1 to 64 letters, digits, \".\", \"_\" and \"-\"", short(t, 80))
		}
	}
	return nil
}

// similarFlags names flags whose keys differ from a new one by little. It is a courtesy, so a failure counts for none.
func similarFlags(ctx context.Context, ld *ldclient.Client, at ldclient.Target) []string {
	longest := ""
	for _, w := range wordsOf(at.Key) {
		if len(w) > len(longest) {
			longest = w
		}
	}
	longest = longest[:min(3, len(longest))] // the rest may be what differs
	got, err := ld.Flags.List(ctx, at.Project, ldclient.ListFlags{Query: longest, Paging: ldclient.Paging{Limit: upstreamPage}})
	if err != nil {
		return nil
	}
	plain := strings.ToLower(strings.Join(wordsOf(at.Key), ""))
	var out []string
	for _, f := range got.Items {
		if other := strings.ToLower(strings.Join(wordsOf(f.Key), "")); typo.Distance(plain, other) <= max(1, min(len(plain)/6, 3)) {
			out = append(out, f.Key)
		}
	}
	slices.Sort(out)
	return out[:min(3, len(out))]
}

// flagDefaultsView is what LaunchDarkly's own pages propose for new flags.
type flagDefaultsView struct {
	Temporary  *bool     `json:"temporary,omitempty"`
	Tags       []string  `json:"tags"`
	ClientSide []string  `json:"clientSide" doc:"client-side SDKs that see a new flag"`
	Boolean    *booleans `json:"boolean,omitempty" doc:"variations of a new boolean flag"`
}

type booleans struct {
	True         string `json:"true" doc:"name and description of the variation true"`
	False        string `json:"false"`
	OnVariation  *int   `json:"onVariationIndex,omitempty"`
	OffVariation *int   `json:"offVariationIndex,omitempty"`
}

var getFlagDefaults = read(Spec{
	Name: "get-flag-defaults", Title: "Get flag defaults",
	Doc: "Read what a project's new flags start with.",
}, func(ctx context.Context, ld *ldclient.Client, in struct{ atProject }) (flagDefaultsView, error) {
	d, err := ld.Flags.Defaults(ctx, in.Project)
	if err != nil {
		return flagDefaultsView{}, err
	}
	out := flagDefaultsView{Temporary: d.Temporary, Tags: append([]string{}, d.Tags...), ClientSide: []string{}}
	if d.ClientSideAvailability != nil {
		out.ClientSide = append(out.ClientSide, clientSideOf(*d.ClientSideAvailability)...)
	}
	if b := d.Boolean; b != nil {
		out.Boolean = &booleans{withDescription(b.TrueName, b.TrueDescription), withDescription(b.FalseName, b.FalseDescription), b.OnVariation, b.OffVariation}
	}
	return out, nil
})

func withDescription(name, description string) string {
	if description == "" {
		return name
	}
	return name + ": " + description
}
