package policy

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/ld-mcp/ld-mcp/internal/pattern"
)

// Specifier names resources, such as proj/shop:env/*;{critical:false}:flag/ops_*.
type Specifier struct {
	parts  []part // none for the bare *
	unsure bool   // whether LaunchDarkly reads it as we do is not known
}

type part struct {
	kind, name string
	filters    []string
}

// kinds that a resource specifier may hold, by what they belong to: nothing, a project, an environment, a member.
var kinds = sync.OnceValue(func() map[string]string {
	return map[string]string{
		"proj": "", "member": "", "service-token": "", "role": "", "team": "", "webhook": "", "integration": "",
		"relay-proxy-config": "", "code-reference-repository": "", "application": "", "template": "", "acct": "",
		"domain-verification": "", "ip-allowlist": "", "pending-request": "",

		"env": "proj", "metric": "proj", "metric-group": "proj", "layer": "proj", "aiconfig": "proj", "ai-model-config": "proj",
		"ai-tool": "proj", "agent-graph": "proj", "prompt-snippet": "proj", "ai-dataset": "proj", "ai-evaluation": "proj",
		"agent-optimization": "proj", "release-pipeline": "proj", "release-policy": "proj", "context-kind": "proj", "view": "proj",
		"observability-settings": "proj", "trace": "proj", "log": "proj", "error": "proj", "session": "proj", "alert": "proj",
		"dashboard": "proj", "metric-data-source": "proj",

		"flag": "env", "segment": "env", "experiment": "env", "holdout": "env", "destination": "env", "sdk-key": "env",
		"product-analytics-dashboard": "env", "notification-subscription": "env", "assignment-data-source": "env", "user": "env",

		"token": "member",
	}
})

// synonyms are older names of kinds.
var synonyms = map[string]string{"goal": "metric"}

// nameless kinds have one resource, so it has no name.
var nameless = []string{"acct", "ip-allowlist"}

func kindOf(word string) (kind string, ok bool) {
	if newer, old := synonyms[word]; old {
		return newer, true
	}
	_, ok = kinds()[word]
	return word, ok
}

// unset stands for the value of a role attribute that is not known.
const unset = "\x00"

var (
	placeholder = pattern.Of(`\$\{roleAttribute/([^}]*)\}`)
	wordy       = pattern.Of(`^[A-Za-z0-9._*\x00-]+$`)
	selector    = pattern.Of(`^\{[A-Za-z]+:[^{}]+\}$`)
)

// ParseSpecifier reads a resource specifier. The values of role attributes in it count as unknown.
func ParseSpecifier(s string) (Specifier, error) {
	text := placeholder().ReplaceAllString(s, unset)
	if text == "*" {
		return Specifier{}, nil
	}
	var out Specifier
	for _, piece := range split(text) {
		p, err := parsePart(strings.TrimPrefix(piece, "/")) // LaunchDarkly's own examples hold a stray slash
		if err != nil {
			return Specifier{}, fmt.Errorf("error parsing resource specifier %q: %w", s, err)
		}
		out.parts = append(out.parts, p)
	}
	return out, nil
}

// split cuts a specifier before each known kind. Other colons are part of a filter.
func split(s string) []string {
	var out []string
	start, braces := 0, 0
	for i, c := range []byte(s) {
		switch {
		case c == '{':
			braces++
		case c == '}':
			braces--
		case c == ':' && braces == 0 && startsPart(s[i+1:]):
			out, start = append(out, s[start:i]), i+1
		}
	}
	return append(out, s[start:])
}

func startsPart(s string) bool {
	s = strings.TrimPrefix(s, "/")
	end := strings.IndexAny(s, "/:;,")
	if end < 0 {
		return slices.Contains(nameless, s)
	}
	_, ok := kindOf(s[:end])
	return ok && (s[end] == '/' || slices.Contains(nameless, s[:end]))
}

func parsePart(s string) (part, error) {
	head, tail, filtered := strings.Cut(s, ";")
	word, name, named := strings.Cut(head, "/")
	kind, ok := kindOf(word)
	if !ok {
		return part{}, fmt.Errorf("there is no kind of resource %q", word)
	}
	p := part{kind: kind, name: name}
	switch {
	case slices.Contains(nameless, kind):
		if name != "" && name != "*" {
			return part{}, fmt.Errorf("%s has no name", kind)
		}
		p.name = ""
	case !named || name == "":
		return part{}, fmt.Errorf("%s wants a name", kind)
	case kind != "code-reference-repository" && strings.Contains(name, ":"):
		return part{}, fmt.Errorf("%q is no name", name)
	}
	if !filtered {
		return p, nil
	}
	p.filters = strings.Split(tail, ",")
	for _, f := range p.filters {
		if !wordy().MatchString(strings.TrimPrefix(f, "view:")) && !selector().MatchString(f) {
			return part{}, fmt.Errorf("%q is neither a tag nor {property:value} nor view:key", f)
		}
	}
	return p, nil
}

// String writes the specifier in LaunchDarkly's form.
func (s Specifier) String() string {
	if len(s.parts) == 0 {
		return "*"
	}
	var out []string
	for _, p := range s.parts {
		text := p.kind
		if !slices.Contains(nameless, p.kind) {
			text += "/" + p.name
		}
		if len(p.filters) > 0 {
			text += ";" + strings.Join(p.filters, ",")
		}
		out = append(out, strings.ReplaceAll(text, unset, "${roleAttribute/…}"))
	}
	return strings.Join(out, ":")
}

// Kind is what the specifier names, such as flag; "" for the bare *, which names everything.
func (s Specifier) Kind() string {
	if len(s.parts) == 0 {
		return ""
	}
	return s.parts[len(s.parts)-1].kind
}

// SameKinds tells whether two specifiers name the same kind of resource.
func (s Specifier) SameKinds(as Specifier) bool {
	return slices.EqualFunc(s.parts, as.parts, func(a, b part) bool { return a.kind == b.kind })
}

// Facts are what is known of one resource besides its key. The zero value is nothing.
type Facts struct {
	Tags     []string // nil when unknown
	Views    []string // keys of the views that it is linked to, nil when unknown
	Critical Verdict
}

// Plain are the facts of a resource that has nothing a statement could ask for.
var Plain = Facts{Tags: []string{}, Views: []string{}, Critical: No}

// Resource is something that an action is done to. The name * in it stands for all of a kind.
type Resource struct {
	Specifier
	facts map[string]Facts // by kind
}

// ParseResource reads the specifier of a resource of which no more is known.
func ParseResource(s string) (Resource, error) {
	spec, err := ParseSpecifier(s)
	return Resource{Specifier: spec}, err
}

// With returns the resource with what is known of it, or of what it belongs to, such as "env".
func (r Resource) With(kind string, f Facts) Resource {
	facts := map[string]Facts{kind: f}
	for k, v := range r.facts {
		if k != kind {
			facts[k] = v
		}
	}
	return Resource{r.Specifier, facts}
}

// Named returns the resource with another key, or with what it belongs to replaced, of a kind.
func (r Resource) Named(kind, key string) Resource {
	r.parts = slices.Clone(r.parts)
	for i := range r.parts {
		if r.parts[i].kind == kind {
			r.parts[i].name = key
		}
	}
	return r
}

// Name is the key of the resource, or of what it belongs to, of a kind.
func (r Resource) Name(kind string) string {
	for _, p := range r.parts {
		if p.kind == kind {
			return p.name
		}
	}
	return ""
}

// project is the resource's project, if it is in one.
func (r Resource) project() (Resource, bool) {
	if len(r.parts) == 0 || r.parts[0].kind != "proj" {
		return Resource{}, false
	}
	return Resource{Specifier{parts: r.parts[:1]}, r.facts}, true
}

// Match tells whether the specifier names the resource.
func (s Specifier) Match(r Resource) Verdict {
	v := Yes
	if len(s.parts) > 0 {
		if !s.SameKinds(r.Specifier) {
			return No
		}
		for i, p := range s.parts {
			v = min(v, matchName(p.name, r.parts[i].name))
			v = min(v, allOf(p.filters, func(f string) Verdict { return r.facts[p.kind].match(f) }))
		}
	}
	if s.unsure {
		v = min(v, Unknown)
	}
	return v
}

func matchName(pattern, name string) Verdict {
	switch {
	case Glob(pattern, name):
		return Yes
	case strings.Contains(pattern, unset), strings.Contains(name, "*"):
		return Unknown
	case slices.Contains(strings.Split(pattern, ","), name): // a list of keys is not documented any more
		return Unknown
	}
	return No
}

func (f Facts) match(filter string) Verdict {
	if strings.Contains(filter, unset) {
		return Unknown
	}
	if property, ok := strings.CutPrefix(filter, "{"); ok {
		switch property {
		case "critical:true}":
			return f.Critical
		case "critical:false}":
			return f.Critical.not()
		}
		return Unknown
	}
	have := f.Tags
	if view, ok := strings.CutPrefix(filter, "view:"); ok {
		filter, have = view, f.Views
	}
	if have == nil {
		return Unknown
	}
	return Known(slices.ContainsFunc(have, func(h string) bool { return Glob(filter, h) }))
}

// Glob matches s against a pattern in which * stands for any run of characters.
func Glob(pattern, s string) bool {
	pieces := strings.Split(pattern, "*")
	if len(pieces) == 1 {
		return pattern == s
	}
	s, ok := strings.CutPrefix(s, pieces[0])
	if !ok {
		return false
	}
	last := len(pieces) - 1
	for _, piece := range pieces[1:last] {
		if _, s, ok = strings.Cut(s, piece); !ok {
			return false
		}
	}
	return strings.HasSuffix(s, pieces[last])
}
