package ldclient

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"github.com/ld-mcp/ld-mcp/internal/pattern"
)

// ContextsService reads the contexts that SDKs have reported lately, and what flags give a context.
type ContextsService service

// MaxContextLimit is the largest page of contexts.
const MaxContextLimit = 50

// SeenContext is a context as one application reported it last.
type SeenContext struct {
	LastSeen      string          `json:"lastSeen"` // RFC 3339
	ApplicationID string          `json:"applicationId"`
	Associated    int             `json:"associatedContexts"`
	Context       ReportedContext `json:"context"`
}

// ReportedContext is one context of one kind. Values of redacted attributes are dropped when it is decoded.
type ReportedContext struct {
	Kind, Key  string
	Attributes map[string]any
	Redacted   []string // names or JSON pointers
}

// UnmarshalJSON sorts a context's object into kind, key, attributes and what is redacted.
func (c *ReportedContext) UnmarshalJSON(b []byte) error {
	var all map[string]any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	_ = d.Decode(&all) // one odd record does not spoil a list
	if all == nil {
		return nil
	}
	meta, _ := all["_meta"].(map[string]any)
	for _, list := range []string{"redactedAttributes", "privateAttributes"} {
		names, _ := meta[list].([]any)
		for _, name := range names {
			if s, ok := name.(string); ok {
				c.Redacted = append(c.Redacted, s)
				drop(all, AttributeSteps(s))
			}
		}
	}
	c.Kind, _ = all["kind"].(string)
	c.Key, _ = all["key"].(string)
	for _, name := range []string{"kind", "key", "_meta"} {
		delete(all, name)
	}
	c.Attributes = all
	return nil
}

// AttributeSteps splits a reference to an attribute, a plain name or a JSON pointer, into its steps.
func AttributeSteps(reference string) []string {
	pointer, ok := strings.CutPrefix(reference, "/")
	if !ok {
		return []string{reference}
	}
	steps := strings.Split(pointer, "/")
	for i := range steps {
		steps[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(steps[i])
	}
	return steps
}

func drop(in map[string]any, steps []string) {
	for len(steps) > 1 {
		inner, ok := in[steps[0]].(map[string]any)
		if !ok {
			return
		}
		in, steps = inner, steps[1:]
	}
	delete(in, steps[0])
}

// ContextQuery says which contexts a search finds; what is left empty does not limit it.
type ContextQuery struct {
	Kind, Key   string
	Text        string // fuzzy, in the key and in any attribute
	Where       []AttributeCondition
	OldestFirst bool
	Limit       int
	Cursor      string // ContextPage.Next of the page before
}

// AttributeCondition is a condition on one attribute. Op is equals, notEquals, startsWith or exists.
type AttributeCondition struct {
	Attribute string // a name, or a JSON pointer such as /address/city
	Op        string
	Value     any
}

var (
	plainField = pattern.Of(`^[\w.*~/-]+$`)
	plainValue = pattern.Of(`^(true|false|-?(0|[1-9]\d*)(\.\d+)?)$`)
)

func (o ContextQuery) filter() string {
	var parts []string
	for _, part := range []struct{ field, is string }{{"kind", o.Kind}, {"key", o.Key}, {"q", o.Text}} {
		if part.is != "" {
			parts = append(parts, part.field+" equals "+operand(part.is))
		}
	}
	for _, w := range o.Where {
		kind := o.Kind
		if kind == "" {
			kind = "*"
		}
		parts = append(parts, w.filter(kind+"."+w.Attribute))
	}
	return strings.Join(parts, ",")
}

// filter also finds the number or boolean that a string spells, since callers do not know an attribute's type.
func (w AttributeCondition) filter(field string) string {
	if !plainField().MatchString(field) {
		field = operand(field)
	}
	as := func(value string) string { return field + " " + w.Op + " " + value }
	text, ok := w.Value.(string)
	if !ok || w.Op != "equals" && w.Op != "notEquals" || !plainValue().MatchString(text) {
		return as(operand(w.Value))
	}
	if w.Op == "equals" {
		return "(" + as(operand(text)) + "|" + as(text) + ")"
	}
	return as(operand(text)) + "," + as(text)
}

// operand writes a value of LaunchDarkly's "field operator value" filters.
func operand(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(v) != nil {
		return `""`
	}
	return strings.TrimSpace(b.String())
}

// ContextPage is one page of contexts, which are paged by cursor.
type ContextPage struct {
	Items         []SeenContext `json:"items"`
	Total         int           `json:"totalCount"`
	Next          string        `json:"continuationToken"` // "" at the end
	EnvironmentID string        `json:"_environmentId"`
}

func (p *ContextPage) missing() string {
	if p.Items == nil && p.EnvironmentID == "" {
		return "list of contexts"
	}
	return ""
}

// Search returns one page of an environment's contexts, those seen last first.
func (s *ContextsService) Search(ctx context.Context, project, environment string, o ContextQuery) (*ContextPage, error) {
	body := struct {
		Filter string `json:"filter,omitempty"`
		Sort   string `json:"sort"`
		Limit  int    `json:"limit,omitempty"`
		Cursor string `json:"continuationToken,omitempty"`
	}{o.filter(), "-ts", min(o.Limit, MaxContextLimit), o.Cursor}
	if o.OldestFirst {
		body.Sort = "ts"
	}
	at := Target{Project: project, Environment: environment}
	return search[ContextPage](ctx, s.c, at, path("projects", project, "environments", environment, "contexts", "search"), nil, body)
}

// Get returns one context, once for each application that reported it lately.
func (s *ContextsService) Get(ctx context.Context, project, environment, kind, key string) ([]SeenContext, error) {
	at := Target{Project: project, Environment: environment}
	p := path("projects", project, "environments", environment, "contexts", kind, free(key))
	got, err := get[ContextPage](ctx, s.c, at, p, url.Values{"limit": {strconv.Itoa(MaxContextLimit)}})
	if err != nil {
		return nil, err
	}
	return got.Items, nil
}

// ContextKind is a kind of context that a project knows.
type ContextKind struct {
	Key         string `json:"key"`
	Name        string `json:"name"`
	Description string `json:"description"`
	LastSeen    Millis `json:"lastSeen"`
	Archived    bool   `json:"archived"`
}

// Kinds returns all context kinds of a project.
func (s *ContextsService) Kinds(ctx context.Context, project string) ([]ContextKind, error) {
	got, err := get[Page[ContextKind]](ctx, s.c, Target{Project: project}, path("projects", project, "context-kinds"), nil)
	if err != nil {
		return nil, err
	}
	return got.Items, nil
}

// MaxAttributes is how many names or values of a context kind the API gives at most; there is no second page.
const MaxAttributes = 100

// AttributeNames are the attributes that contexts of one kind have.
type AttributeNames struct {
	Kind  string          `json:"kind"`
	Names []AttributeName `json:"names"`
}

// AttributeName is an attribute and about how many contexts have it.
type AttributeName struct {
	Name     string `json:"name"`
	Weight   int    `json:"weight"`
	Redacted bool   `json:"redacted"` // in some contexts at least
}

// Attributes returns the attributes that contexts have, of one kind or, if kind is "", of all.
func (s *ContextsService) Attributes(ctx context.Context, project, environment, kind, prefix string) ([]AttributeNames, error) {
	return attributes[AttributeNames](ctx, s, project, environment, "", kind, prefix)
}

// AttributeValues are the values that contexts of one kind have in one attribute.
type AttributeValues struct {
	Kind   string           `json:"kind"`
	Values []AttributeValue `json:"values"`
}

// AttributeValue is a value and about how many contexts have it.
type AttributeValue struct {
	Value  any `json:"name"`
	Weight int `json:"weight"`
}

// Values returns the values that contexts have in an attribute, of one kind or, if kind is "", of all.
func (s *ContextsService) Values(ctx context.Context, project, environment, attribute, kind, prefix string) ([]AttributeValues, error) {
	return attributes[AttributeValues](ctx, s, project, environment, attribute, kind, prefix)
}

// listed is a list that neither counts nor links.
type listed[T any] struct {
	Items []T `json:"items"`
}

func (l *listed[T]) missing() string {
	if l.Items == nil {
		return "list"
	}
	return ""
}

func attributes[T any](ctx context.Context, s *ContextsService, project, environment, attribute, kind, prefix string) ([]T, error) {
	segments, what := []any{"projects", project, "environments", environment, "context-attributes"}, "name"
	if attribute != "" {
		segments, what = append(segments, free(attribute)), "value"
	}
	var filter []string
	if kind != "" {
		filter = append(filter, "kind equals "+operand(kind))
	}
	if prefix != "" {
		filter = append(filter, what+" startsWith "+operand(prefix))
	}
	q := url.Values{"limit": {strconv.Itoa(MaxAttributes)}}
	if len(filter) > 0 {
		q.Set("filter", strings.Join(filter, ","))
	}
	got, err := get[listed[T]](ctx, s.c, Target{Project: project, Environment: environment}, path(segments...), q)
	if err != nil {
		return nil, err
	}
	return got.Items, nil
}

// Evaluation is what a flag gives a context.
type Evaluation struct {
	Key    string           `json:"key"`
	Name   string           `json:"name"`
	Value  json.RawMessage  `json:"_value"`
	Reason EvaluationReason `json:"reason"`
}

// EvaluationReason says why, with the SDKs' names: OFF, FALLTHROUGH, TARGET_MATCH, RULE_MATCH, PREREQUISITE_FAILED or ERROR.
type EvaluationReason struct {
	Kind            string `json:"kind"`
	RuleIndex       *int   `json:"ruleIndex"` // from 0
	RuleID          string `json:"ruleID"`
	PrerequisiteKey string `json:"prerequisiteKey"`
	InExperiment    bool   `json:"inExperiment"`
	ErrorKind       string `json:"errorKind"`
}

// EvaluateFlags says which flags to evaluate; with a zero Limit all of them.
type EvaluateFlags struct {
	Paging
	Query string // part of a key or name
}

// Evaluate returns what flags give a context, which is in the SDKs' JSON form.
// LaunchDarkly uses the attributes given and no others, counts no evaluation
// and leaves out archived flags.
func (s *ContextsService) Evaluate(ctx context.Context, project, environment string, about map[string]any, o EvaluateFlags) (*Page[Evaluation], error) {
	q := o.Paging.query()
	if o.Query != "" {
		q.Set("filter", "query equals "+operand(o.Query))
	}
	at := Target{Project: project, Environment: environment}
	return search[Page[Evaluation]](ctx, s.c, at, path("projects", project, "environments", environment, "flags", "evaluate"), q, about)
}
