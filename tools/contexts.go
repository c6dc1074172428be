package tools

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

var contexts = Toolset{
	Name: "contexts", Doc: "Contexts seen lately, and what they get.",
	Default: []string{"evaluate-flags"},
	Tools:   []Tool{searchContexts, getContext, listContextKinds, listContextAttributes, evaluateFlags},
}

// contextRow is a context as one application reported it last.
type contextRow struct {
	Kind string `json:"kind"`
	Key  string `json:"key"`
	seenBy
}

type seenBy struct {
	ApplicationID  string         `json:"applicationId,omitempty"`
	LastSeen       string         `json:"lastSeen,omitempty"`
	Attributes     map[string]any `json:"attributes,omitempty"`
	MoreAttributes int            `json:"moreAttributes,omitempty" doc:"attributes left out here"`
	Redacted       []string       `json:"redacted,omitempty" doc:"attributes whose values LaunchDarkly was not sent"`
	Associated     int            `json:"associatedContexts,omitempty" doc:"contexts evaluated together with it"`
}

// seenByOf shows up to count attributes in the order of their names, long values cut.
func seenByOf(c ldclient.SeenContext, skip, count, cut int) seenBy {
	out := seenBy{ApplicationID: c.ApplicationID, LastSeen: c.LastSeen, Redacted: ten(c.Context.Redacted, 0), Associated: c.Associated}
	names := slices.Sorted(maps.Keys(c.Context.Attributes))
	names = names[min(skip, len(names)):]
	for _, name := range names[:min(count, len(names))] {
		if out.Attributes == nil {
			out.Attributes = map[string]any{}
		}
		out.Attributes[name] = cutValue(c.Context.Attributes[name], cut)
	}
	out.MoreAttributes = max(0, len(names)-count)
	return out
}

// cutValue leaves of a long value the beginning of its text.
func cutValue(v any, n int) any {
	if text := valueText(mustJSON(v)); len([]rune(text)) > n {
		return short(text, n)
	}
	return v
}

// contextPage is a page of contexts, which LaunchDarkly pages by a token.
type contextPage struct {
	Items      []contextRow `json:"items"`
	TotalCount int          `json:"totalCount,omitempty"`
	Next       string       `json:"nextCursor,omitempty" doc:"Pass as cursor for more"`
	Note       string       `json:"note,omitempty"`
	from       contextCursor
}

// shorten keeps the first items; the cursor then leads to the rest of the same page.
func (p contextPage) shorten(items int) (any, int) {
	had := len(p.Items)
	if items < had {
		p.Items, p.Next = p.Items[:items], contextCursor{p.from.token, p.from.skip + items}.String()
		p.Note = fmt.Sprintf("Cut from %d items to fit; go on with nextCursor, or narrow the search.", had)
	}
	return p, had
}

// contextCursor is a position in a search: LaunchDarkly's token of a page, and the items of it that were shown.
type contextCursor struct {
	token string
	skip  int
}

func (c contextCursor) String() string { return strconv.Itoa(c.skip) + "~" + c.token }

func parseContextCursor(s string) (contextCursor, error) {
	if s == "" {
		return contextCursor{}, nil
	}
	skip, token, ok := strings.Cut(s, "~")
	n, err := strconv.Atoi(skip)
	if !ok || err != nil || n < 0 || n >= ldclient.MaxContextLimit {
		return contextCursor{}, badf("cursor must be the nextCursor of a reply")
	}
	return contextCursor{token, n}, nil
}

type attributeFilter struct {
	Attribute string `json:"attribute" doc:"email or /address/city"`
	Op        string `json:"op,omitempty" jsonschema:"enum=equals,enum=notEquals,enum=startsWith,enum=exists" doc:"equals if not given"`
	Value     scalar `json:"value,omitempty" doc:"For exists true, if not given, or false"`
}

func (f attributeFilter) condition(i int) (ldclient.AttributeCondition, error) {
	c := ldclient.AttributeCondition{Attribute: f.Attribute, Op: f.Op, Value: f.Value.any}
	if c.Op == "" {
		c.Op = "equals"
	}
	switch {
	case strings.TrimSpace(c.Attribute) == "":
		return c, badf("attributes[%d].attribute is empty; name an attribute", i)
	case c.Op == "exists":
		said := fmt.Sprint(c.Value)
		if c.Value != nil && said != "true" && said != "false" {
			return c, badf("attributes[%d].value: with exists it must be true or false, got %s", i, short(said, 60))
		}
		c.Value = said != "false"
	case c.Value == nil:
		return c, badf("attributes[%d].value is missing: it is what %s is compared with", i, short(c.Attribute, 60))
	}
	return c, nil
}

var searchContexts = read(Spec{
	Name: "search-contexts", Title: "Search contexts",
	Doc: "Search the contexts seen lately in one environment, the latest first.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	inEnvironment
	Kind       string            `json:"kind,omitempty" alias:"contextKind"`
	Key        string            `json:"key,omitempty" alias:"contextKey"`
	Query      string            `json:"query,omitempty" alias:"q,search" doc:"Part of a key or any attribute's value"`
	Attributes []attributeFilter `json:"attributes,omitempty" alias:"where,filters" doc:"All must hold"`
	Sort       string            `json:"sort,omitempty" jsonschema:"enum=lastSeen,enum=-lastSeen" doc:"lastSeen begins with those unseen for longest"`
	Limit      int               `json:"limit,omitempty" jsonschema:"minimum=1,maximum=50" default:"20" doc:"1 to 50"`
	Cursor     string            `json:"cursor,omitempty" alias:"continuationToken" told:"true" doc:"nextCursor of the last reply"`
}) (contextPage, error) {
	at, err := parseContextCursor(in.Cursor)
	if err != nil {
		return contextPage{}, err
	}
	if in.Kind != "" {
		if err := checkKind("kind", in.Kind); err != nil {
			return contextPage{}, err
		}
	}
	q := ldclient.ContextQuery{Kind: in.Kind, Key: in.Key, Text: in.Query, OldestFirst: in.Sort == "lastSeen",
		Limit: min(at.skip+in.Limit, ldclient.MaxContextLimit), Cursor: at.token}
	for i, f := range in.Attributes {
		where, err := f.condition(i)
		if err != nil {
			return contextPage{}, err
		}
		q.Where = append(q.Where, where)
	}
	got, err := ld.Contexts.Search(ctx, in.Project, in.Environment, q)
	if err != nil {
		return contextPage{}, err
	}
	out := contextPage{Items: []contextRow{}, TotalCount: got.Total, from: at}
	for _, c := range got.Items[min(at.skip, len(got.Items)):] {
		out.Items = append(out.Items, contextRow{c.Context.Kind, c.Context.Key, seenByOf(c, 0, firstOf, 100)})
	}
	if got.Next != "" && len(got.Items) > 0 {
		out.Next = contextCursor{token: got.Next}.String()
	}
	return out, nil
})

type contextDetail struct {
	Kind              string   `json:"kind"`
	Key               string   `json:"key"`
	Environment       string   `json:"environment"`
	ApplicationsCount int      `json:"applicationsCount"`
	Applications      []seenBy `json:"applications" doc:"as each application reported it last, the latest ten"`
}

// lighten leaves of long values their beginning only.
func (d contextDetail) lighten() (any, bool) {
	d.Applications = slices.Clone(d.Applications)
	for i, a := range d.Applications {
		cut := map[string]any{}
		for name, v := range a.Attributes {
			cut[name] = cutValue(v, 40)
		}
		d.Applications[i].Attributes = cut
	}
	return d, true
}

var getContext = read(Spec{
	Name: "get-context", Title: "Get a context",
	Doc: "Read one context seen lately: its attributes as each application reported them.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	inEnvironment
	Kind   string `json:"kind,omitempty" alias:"contextKind" default:"user" told:"true" doc:"Context kind, user if not given"`
	Key    string `json:"key" alias:"contextKey,userKey"`
	Offset int    `json:"attributesOffset,omitempty" jsonschema:"minimum=0,maximum=100000" told:"true" doc:"Attributes to skip; a reply shows thirty"`
}) (contextDetail, error) {
	seen, err := lastSeen(ctx, ld, in.Project, in.Environment, in.Kind, in.Key)
	if err != nil {
		return contextDetail{}, err
	}
	if len(seen) == 0 {
		return contextDetail{}, &ldclient.Error{Status: 404, Code: "not_found",
			Message: fmt.Sprintf("there is no %s %q among the contexts seen lately in %s; find it with search-contexts", in.Kind, short(in.Key, 60), in.Environment)}
	}
	d := contextDetail{Kind: in.Kind, Key: in.Key, Environment: in.Environment, ApplicationsCount: len(seen)}
	for _, c := range ten(seen, 0) {
		d.Applications = append(d.Applications, seenByOf(c, in.Offset, 30, 400))
	}
	return d, nil
})

// lastSeen reads a context as each application reported it, the latest first; none if it was not seen.
func lastSeen(ctx context.Context, ld *ldclient.Client, project, environment, kind, key string) ([]ldclient.SeenContext, error) {
	if err := checkKind("kind", kind); err != nil {
		return nil, err
	}
	seen, err := ld.Contexts.Get(ctx, project, environment, kind, key)
	slices.SortStableFunc(seen, func(a, b ldclient.SeenContext) int {
		s, _ := instant("", a.LastSeen)
		t, _ := instant("", b.LastSeen)
		return int(t - s)
	})
	return seen, err
}

// checkKind says what keeps s from being a context kind.
func checkKind(name, s string) error {
	if err := ldclient.CheckKey(s); err != nil || s == "kind" || s == "multi" {
		return badf("%s must be a context kind such as user, got %q", name, short(s, 60))
	}
	return nil
}

type kindRow struct {
	Key         string `json:"key"`
	Name        string `json:"name,omitempty" doc:"only where it says more than the key"`
	Description string `json:"description,omitempty"`
	LastSeen    string `json:"lastSeen,omitempty" doc:"in any environment"`
	Archived    bool   `json:"archived,omitempty"`
}

var listContextKinds = read(Spec{
	Name: "list-context-kinds", Title: "List context kinds",
	Doc: "List a project's context kinds, such as user or organization, and when one was last seen.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atProject
	paged
}) (page[kindRow], error) {
	kinds, err := ld.Contexts.Kinds(ctx, in.Project)
	return pageHere(kinds, in.paged, func(k ldclient.ContextKind) kindRow {
		return kindRow{k.Key, nameBeside(k.Key, k.Name), short(k.Description, 200), k.LastSeen.String(), k.Archived}
	}), err
})

// pageHere cuts a page out of a list that LaunchDarkly gives as a whole.
func pageHere[A, B any](all []A, p paged, view func(A) B) page[B] {
	out := page[B]{Items: []B{}, TotalCount: len(all)}
	rest := all[min(p.Offset, len(all)):]
	for i, item := range rest[:min(p.Limit, len(rest))] {
		out.add(view(item), p.Offset+i)
	}
	if len(rest) > p.Limit {
		out.NextOffset = p.Offset + p.Limit
	}
	return out
}

type attributeRow struct {
	Kind     string `json:"kind"`
	Name     string `json:"name,omitempty"`
	Value    any    `json:"value,omitempty"`
	Contexts int    `json:"contexts" doc:"about how many have it"`
	Redacted bool   `json:"redacted,omitempty" doc:"some applications keep its value to themselves"`
}

var listContextAttributes = read(Spec{
	Name: "list-context-attributes", Title: "List context attributes",
	Doc: "List the attributes that contexts have, or one attribute's values, with how many contexts have each.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	inEnvironment
	Attribute string `json:"attribute,omitempty" alias:"attributeName,name" doc:"List its values"`
	Kind      string `json:"kind,omitempty" alias:"contextKind"`
	Prefix    string `json:"startsWith,omitempty" alias:"prefix,query"`
	paged
}) (page[attributeRow], error) {
	if in.Kind != "" {
		if err := checkKind("kind", in.Kind); err != nil {
			return page[attributeRow]{}, err
		}
	}
	var rows []attributeRow
	full := false
	note := ""
	if in.Attribute == "" {
		kinds, err := ld.Contexts.Attributes(ctx, in.Project, in.Environment, in.Kind, in.Prefix)
		if err != nil {
			return page[attributeRow]{}, err
		}
		for _, k := range kinds {
			full = full || len(k.Names) >= ldclient.MaxAttributes
			for _, n := range k.Names {
				rows = append(rows, attributeRow{Kind: k.Kind, Name: n.Name, Contexts: n.Weight, Redacted: n.Redacted})
			}
		}
	} else {
		kinds, redacted, err := valuesOf(ctx, ld, in.inEnvironment, in.Attribute, in.Kind, in.Prefix)
		if err != nil {
			return page[attributeRow]{}, err
		}
		if len(redacted) > 0 {
			note = fmt.Sprintf("Values of %s in contexts of kind %s are not shown: it is redacted there.", short(clean(in.Attribute), 60), strings.Join(redacted, ", "))
		}
		for _, k := range kinds {
			full = full || len(k.Values) >= ldclient.MaxAttributes
			for _, v := range k.Values {
				rows = append(rows, attributeRow{Kind: k.Kind, Value: cutValue(v.Value, 200), Contexts: v.Weight})
			}
		}
	}
	out := pageHere(rows, in.paged, func(r attributeRow) attributeRow { return r })
	if full {
		note = strings.TrimSpace(note + fmt.Sprintf(" LaunchDarkly lists at most %d a kind; narrow it with startsWith.", ldclient.MaxAttributes))
	}
	out.Note = note
	return out, nil
})

// valuesOf reads an attribute's values, and leaves out the kinds of which some contexts redact it.
func valuesOf(ctx context.Context, ld *ldclient.Client, at inEnvironment, attribute, kind, prefix string) (kinds []ldclient.AttributeValues, redacted []string, err error) {
	steps := ldclient.AttributeSteps(attribute)
	hidden := make([][]ldclient.AttributeNames, 2)
	g := gather(ctx)
	for i, first := range []string{steps[0], "/" + steps[0]} { // LaunchDarkly lists names in both forms
		g.need(func(ctx context.Context) (err error) {
			hidden[i], err = ld.Contexts.Attributes(ctx, at.Project, at.Environment, kind, first)
			return err
		})
	}
	g.need(func(ctx context.Context) (err error) {
		kinds, err = ld.Contexts.Values(ctx, at.Project, at.Environment, attribute, kind, prefix)
		return err
	})
	if _, err := g.wait(); err != nil {
		return nil, nil, err
	}
	for _, k := range slices.Concat(hidden...) {
		for _, n := range k.Names {
			of := ldclient.AttributeSteps(n.Name)
			common := min(len(of), len(steps)) // a part is redacted with the whole, and the whole shows its parts
			if n.Redacted && slices.Equal(of[:common], steps[:common]) && !slices.Contains(redacted, k.Kind) {
				redacted = append(redacted, k.Kind)
			}
		}
	}
	return slices.DeleteFunc(kinds, func(k ldclient.AttributeValues) bool { return slices.Contains(redacted, k.Kind) }), redacted, nil
}
