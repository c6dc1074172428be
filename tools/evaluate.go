package tools

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// object is a JSON object of any shape, its numbers as they were written.
type object map[string]any

func (o *object) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return d.Decode((*map[string]any)(o))
}

func (object) JSONSchema() *jsonschema.Schema { return &jsonschema.Schema{Type: "object"} }

type evaluateInput struct {
	inEnvironment
	Context    object   `json:"context,omitempty" doc:"{\"kind\":\"user\",\"key\":\"u1\",\"plan\":\"pro\"} or {\"kind\":\"multi\",\"user\":{\"key\":\"u1\"},\"org\":{\"key\":\"o1\"}}"`
	Kind       string   `json:"contextKind,omitempty"`
	Key        string   `json:"contextKey,omitempty" alias:"userKey" doc:"Instead of context"`
	Attributes object   `json:"attributes,omitempty" doc:"With contextKey: {\"plan\":\"pro\"}"`
	Stored     bool     `json:"stored,omitempty" doc:"Add attributes last seen"`
	Flag       string   `json:"flagKey,omitempty" alias:"flag,featureFlagKey"`
	Flags      []string `json:"flagKeys,omitempty" alias:"flags"`
	Query      string   `json:"query,omitempty" alias:"search" doc:"Without flags or query: all"`
	paged
}

// target names the flag if there is one, so that an error can offer near keys.
func (in evaluateInput) target() ldclient.Target {
	t := in.inEnvironment.target()
	if keys := in.keys(); len(keys) == 1 {
		t.Kind, t.Key = "flag", keys[0]
	}
	return t
}

func (in evaluateInput) keys() []string {
	var out []string
	for _, key := range append([]string{in.Flag}, in.Flags...) {
		if key != "" && !slices.Contains(out, key) {
			out = append(out, key)
		}
	}
	return out
}

// evaluationRow is what a flag gives a context.
type evaluationRow struct {
	Flag         string `json:"flagKey"`
	Value        any    `json:"value" doc:"null where code gets its fallback"`
	Cut          bool   `json:"valueIsCut,omitempty" doc:"value is only the beginning of it"`
	Variation    string `json:"variation,omitempty" doc:"its name, where it has one"`
	Kind         string `json:"reasonKind" doc:"OFF, FALLTHROUGH, TARGET_MATCH, RULE_MATCH, PREREQUISITE_FAILED, ERROR or ARCHIVED"`
	Why          string `json:"reason"`
	RuleID       string `json:"ruleId,omitempty"`
	Prerequisite string `json:"prerequisiteKey,omitempty"`
	InExperiment bool   `json:"inExperiment,omitempty"`
}

var evaluateFlags = read(Spec{
	Name: "evaluate-flags", Title: "Evaluate flags for a context",
	Doc: "Tell what a context gets from one flag or many, and why. Only the attributes given count, unless stored is true.",
}, func(ctx context.Context, ld *ldclient.Client, in evaluateInput) (page[evaluationRow], error) {
	var none page[evaluationRow]
	keys := in.keys()
	for _, key := range keys {
		if err := ldclient.CheckKey(key); err != nil {
			return none, badArguments(err.Error())
		}
	}
	if len(keys) > 0 && in.Query != "" {
		return none, badf("give flagKey or flagKeys, or query, not both")
	}
	about, err := in.about()
	if err != nil {
		return none, err
	}
	var notes []string
	switch {
	case in.Stored:
		if notes, err = addStored(ctx, ld, in.inEnvironment, about); err != nil {
			return none, err
		}
	case !slices.ContainsFunc(slices.Collect(maps.Values(contextsIn(about))), func(c map[string]any) bool { return len(attributeNames(c)) > 0 }):
		notes = append(notes, "Only a key was given, so no rule on another attribute can match; stored true adds the attributes last seen.")
	}
	e := evaluation{ld: ld, at: in.inEnvironment, about: about, flags: map[string]*ldclient.Flag{}}
	var got page[ldclient.Evaluation]
	if len(keys) > 0 {
		got, err = e.named(ctx, keys, in.paged)
	} else {
		got, err = e.searched(ctx, in.Query, in.paged)
	}
	if err != nil {
		return none, err
	}
	more, err := e.readFlags(ctx, got.Items, len(keys) > 0)
	if err != nil {
		return none, err
	}
	out := page[evaluationRow]{Items: []evaluationRow{}, TotalCount: got.TotalCount, NextOffset: got.NextOffset}
	longest := 200
	if len(keys) == 1 {
		longest = 4000
	}
	for i, x := range got.Items {
		out.add(e.row(x, longest), got.at[i])
	}
	out.Note = strings.Join(slices.Concat(notes, more), " ")
	return out, nil
})

// evaluation is one context's evaluation in one environment.
type evaluation struct {
	ld    *ldclient.Client
	at    inEnvironment
	about map[string]any
	flags map[string]*ldclient.Flag // those that were read, by key
}

// wordsFor is how many flags one call reads to say their rules in words.
const wordsFor = 10

func (e *evaluation) searched(ctx context.Context, query string, p paged) (page[ldclient.Evaluation], error) {
	got, err := manyPages(ctx, p, func(ctx context.Context, p ldclient.Paging) (*ldclient.Page[ldclient.Evaluation], error) {
		return e.ld.Contexts.Evaluate(ctx, e.at.Project, e.at.Environment, e.about, ldclient.EvaluateFlags{Paging: p, Query: query})
	})
	if err != nil {
		return page[ldclient.Evaluation]{}, err
	}
	return pageOf(got, p.Offset, func(x ldclient.Evaluation) ldclient.Evaluation { return x }), nil
}

// named evaluates certain flags. LaunchDarkly filters by part of a key, so the
// flags are picked from what it finds; where there are many, from all.
func (e *evaluation) named(ctx context.Context, keys []string, p paged) (page[ldclient.Evaluation], error) {
	asked := pageHere(keys, p, func(key string) ldclient.Evaluation { return ldclient.Evaluation{Key: key} })
	queries := keysOf(asked.Items, func(x ldclient.Evaluation) string { return x.Key })
	if len(queries) > 5 {
		queries = []string{""}
	}
	found := make([]*ldclient.Page[ldclient.Evaluation], len(queries))
	g := gather(ctx)
	for i, query := range queries {
		g.need(func(ctx context.Context) (err error) {
			found[i], err = e.ld.Contexts.Evaluate(ctx, e.at.Project, e.at.Environment, e.about, ldclient.EvaluateFlags{Query: query})
			return err
		})
	}
	if _, err := g.wait(); err != nil {
		return asked, err
	}
	for _, f := range found {
		for _, x := range f.Items {
			if i := slices.IndexFunc(asked.Items, func(a ldclient.Evaluation) bool { return a.Key == x.Key }); i >= 0 {
				asked.Items[i] = x
			}
		}
	}
	return asked, nil
}

// readFlags reads the flags whose reason needs their targeting to be said in
// words, and those that LaunchDarkly did not evaluate, which have no value.
func (e *evaluation) readFlags(ctx context.Context, found []ldclient.Evaluation, named bool) (notes []string, err error) {
	var read []string
	unread := 0
	for _, x := range found {
		switch {
		case x.Value == nil, len(read) < wordsFor && (named || x.Reason.Kind == "RULE_MATCH"):
			read = append(read, x.Key)
		case x.Reason.Kind == "RULE_MATCH":
			unread++
		}
	}
	flags := make([]*ldclient.Flag, len(read))
	var absent []string
	g := gather(ctx)
	for i, key := range read {
		get := func(ctx context.Context) (err error) {
			flags[i], err = e.ld.Flags.Get(ctx, e.at.Project, e.at.Environment, key)
			return err
		}
		if x := found[slices.IndexFunc(found, func(x ldclient.Evaluation) bool { return x.Key == key })]; x.Value == nil {
			g.need(func(ctx context.Context) error {
				err := get(ctx)
				if ldclient.IsNotFound(err) && len(found) > 1 {
					g.mu.Lock()
					defer g.mu.Unlock()
					absent = append(absent, key)
					return nil
				}
				return err
			})
			continue
		}
		g.want("the targeting of "+key, get)
	}
	missing, err := g.wait()
	if err != nil {
		return nil, err
	}
	for _, f := range flags {
		if f != nil {
			e.flags[f.Key] = f
		}
	}
	if len(absent) > 0 {
		slices.Sort(absent)
		notes = append(notes, "There is no flag "+strings.Join(absent, ", ")+"; check with list-flags.")
	}
	for _, m := range missing {
		notes = append(notes, upper(m)+".")
	}
	if unread > 0 {
		notes = append(notes, fmt.Sprintf("The rules of %d more flags were not read; evaluate those by flagKeys to see them in words.", unread))
	}
	return notes, nil
}

func (e *evaluation) row(x ldclient.Evaluation, longest int) evaluationRow {
	row := evaluationRow{Flag: x.Key, Value: decoded(x.Value), Kind: x.Reason.Kind, RuleID: x.Reason.RuleID,
		Prerequisite: x.Reason.PrerequisiteKey, InExperiment: x.Reason.InExperiment, Why: e.why(x)}
	if text := valueText(x.Value); len([]rune(text)) > longest {
		row.Value, row.Cut = short(text, longest), true
	}
	f := e.flags[x.Key]
	if x.Value == nil {
		row.Kind = "ERROR"
		if f != nil && f.Archived {
			row.Kind = "ARCHIVED"
		}
	}
	if f != nil && x.Value != nil {
		for i, v := range f.Variations {
			if v.Name != "" && string(mustJSON(decoded(v.Value))) == string(mustJSON(decoded(x.Value))) {
				row.Variation = label(f, i)
				break
			}
		}
	}
	return row
}

// about is the context of the call in the SDKs' form, however it was given.
func (in evaluateInput) about() (map[string]any, error) {
	if in.Context == nil {
		if in.Key == "" {
			return nil, badf("missing context: give context, or contextKey with attributes")
		}
		c := maps.Clone(map[string]any(in.Attributes))
		if c == nil {
			c = map[string]any{}
		}
		for name, own := range map[string]string{"kind": in.Kind, "key": in.Key} {
			if said, ok := c[name]; ok && own != "" && said != own {
				return nil, badf("attributes holds a %s that differs from the context's", name)
			}
		}
		if in.Kind != "" {
			c["kind"] = in.Kind
		}
		c["key"] = in.Key
		return single(c, "contextKind", "contextKey")
	}
	if in.Key != "" || in.Kind != "" || in.Attributes != nil {
		return nil, badf("give context, or contextKind, contextKey and attributes, not both")
	}
	c := maps.Clone(map[string]any(in.Context))
	if c["kind"] == nil && c["key"] == nil && len(c) > 0 && !slices.ContainsFunc(slices.Collect(maps.Values(c)), func(v any) bool { _, ok := v.(map[string]any); return !ok }) {
		c["kind"] = "multi" // {"user": {…}, "org": {…}}
	}
	if c["kind"] != "multi" {
		return single(c, "context.kind", "context.key")
	}
	if len(c) < 2 {
		return nil, badf(`context of kind multi holds no context; write it like {"kind":"multi","user":{"key":"u1"},"org":{"key":"o1"}}`)
	}
	for kind, v := range c {
		if kind == "kind" {
			continue
		}
		inner, ok := v.(map[string]any)
		if !ok {
			return nil, badf(`context.%s must be an object such as {"key":"u1"}, since context is of kind multi`, short(clean(kind), 60))
		}
		inner = maps.Clone(inner)
		if said, ok := inner["kind"]; ok && said != kind {
			return nil, badf("context.%s.kind differs from %s", short(clean(kind), 60), short(clean(kind), 60))
		}
		inner["kind"] = kind
		one, err := single(inner, "context."+kind, "context."+kind+".key")
		if err != nil {
			return nil, err
		}
		delete(one, "kind")
		c[kind] = one
	}
	return c, nil
}

// single checks a context of one kind; kindName and keyName are what the caller knows its kind and key by.
func single(c map[string]any, kindName, keyName string) (map[string]any, error) {
	if c["kind"] == nil {
		c["kind"] = "user"
	}
	kind, _ := c["kind"].(string)
	if err := checkKind(kindName, kind); err != nil {
		return nil, err
	}
	switch key := c["key"].(type) {
	case json.Number:
		c["key"] = key.String()
	case string:
		if key == "" {
			return nil, badf("%s is empty", keyName)
		}
	case nil:
		return nil, badf("missing %s", keyName)
	default:
		return nil, badf("%s must be a string", keyName)
	}
	return c, nil
}

// contextsIn are the contexts of about by kind, one unless it is of kind multi.
func contextsIn(about map[string]any) map[string]map[string]any {
	kind, _ := about["kind"].(string)
	if kind != "multi" {
		return map[string]map[string]any{kind: about}
	}
	out := map[string]map[string]any{}
	for name, v := range about {
		if c, ok := v.(map[string]any); ok {
			out[name] = c
		}
	}
	return out
}

func attributeNames(c map[string]any) []string {
	names := slices.Sorted(maps.Keys(c))
	return slices.DeleteFunc(names, func(name string) bool { return name == "kind" || name == "key" || name == "_meta" })
}

// addStored adds to each context of about the attributes that were last seen of it, and says which.
func addStored(ctx context.Context, ld *ldclient.Client, at inEnvironment, about map[string]any) ([]string, error) {
	all := contextsIn(about)
	kinds := slices.Sorted(maps.Keys(all))
	notes := make([]string, len(kinds))
	g := gather(ctx)
	for i, kind := range kinds {
		g.need(func(ctx context.Context) error {
			c := all[kind]
			name := kind + " " + short(clean(fmt.Sprint(c["key"])), 60)
			seen, err := lastSeen(ctx, ld, at.Project, at.Environment, kind, fmt.Sprint(c["key"]))
			switch {
			case err != nil && !ldclient.IsNotFound(err):
				return err
			case len(seen) == 0:
				notes[i] = fmt.Sprintf("%s was not seen lately in %s, so only what was given counts.", upper(name), at.Environment)
				return nil
			}
			var added []string
			for _, attribute := range slices.Sorted(maps.Keys(seen[0].Context.Attributes)) {
				if _, given := c[attribute]; !given {
					c[attribute] = seen[0].Context.Attributes[attribute]
					added = append(added, short(clean(attribute), 40))
				}
			}
			notes[i] = fmt.Sprintf("%s as seen at %s: %s.", upper(name), seen[0].LastSeen, upToTen("no attribute", added))
			if seen[0].ApplicationID != "" {
				notes[i] = fmt.Sprintf("%s as %s saw it at %s: %s.", upper(name), short(clean(seen[0].ApplicationID), 60), seen[0].LastSeen, upToTen("no attribute", added))
			}
			if redacted := seen[0].Context.Redacted; len(redacted) > 0 {
				notes[i] += fmt.Sprintf(" Its redacted attributes are not known (%s), and rules on them are taken not to match.", upToTen("", redacted))
			}
			return nil
		})
	}
	_, err := g.wait()
	return notes, err
}

// upToTen lists up to ten names.
func upToTen(none string, names []string) string {
	if len(names) == 0 {
		return none
	}
	out := short(clean(strings.Join(ten(names, 0), ", ")), 400)
	if len(names) > firstOf {
		out += fmt.Sprintf(" and %d more", len(names)-firstOf)
	}
	return out
}
