package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Statement is a statement of LaunchDarkly's policy language, as the API has it.
type Statement struct {
	Effect    string   `json:"effect"` // allow, or deny to exclude
	Resources []string `json:"resources,omitempty"`
	Actions   []string `json:"actions,omitempty"`
	// In a role, a statement may name what it does not cover instead.
	NotResources []string `json:"notResources,omitempty"`
	NotActions   []string `json:"notActions,omitempty"`
}

func (s Statement) String() string {
	resources, actions := strings.Join(s.Resources, ", "), strings.Join(s.Actions, ", ")
	if len(s.NotResources) > 0 {
		resources = "all but " + strings.Join(s.NotResources, ", ")
	}
	if len(s.NotActions) > 0 {
		actions = "all but " + strings.Join(s.NotActions, ", ")
	}
	return fmt.Sprintf("%s %s on %s", s.Effect, actions, resources)
}

// Attributes are the values of role attributes by key. Nil means that they are not known.
type Attributes map[string][]string

// rule is a statement with its specifiers read.
type rule struct {
	Statement
	index    int         // in its policy
	specs    []Specifier // of resources or notResources, with attributes filled in
	unread   bool        // a specifier cannot be read, so what it names is unknown
	filtered bool        // some specifier asks for tags, properties or views
}

// maxValues bounds what the attributes in one specifier may grow to.
const maxValues = 1000

// maxCompared bounds the specifiers of a policy that are held against each other.
const maxCompared = 500

func read(i int, s Statement, attrs Attributes) rule {
	out := rule{Statement: s, index: i}
	for _, text := range slices.Concat(s.Resources, s.NotResources) {
		texts, unsure := expand(text, attrs)
		if len(texts) == 0 && len(s.NotResources) > 0 || len(texts) == maxValues {
			out.unread = true // what a missing value means there is not documented
		}
		for _, t := range texts {
			spec, err := ParseSpecifier(t)
			if err != nil {
				out.unread = true
				continue
			}
			spec.unsure = unsure
			out.specs = append(out.specs, spec)
			out.filtered = out.filtered || slices.ContainsFunc(spec.parts, func(p part) bool { return len(p.filters) > 0 })
		}
	}
	return out
}

// expand writes a specifier once for each value of the attributes in it: never
// for one that has no value. unsure tells that an attribute is only part of a name.
func expand(text string, attrs Attributes) (texts []string, unsure bool) {
	at := placeholder().FindStringSubmatchIndex(text)
	if at == nil || attrs == nil {
		return []string{text}, false
	}
	before, key, after := text[:at[0]], text[at[2]:at[3]], text[at[1]:]
	glued := !strings.ContainsAny(last(before), "/;,:") || !strings.ContainsAny(first(after), ";,:")
	rest, unsure := expand(after, attrs)
	for _, value := range attrs[key] {
		for _, r := range rest {
			if len(texts) == maxValues {
				return texts, unsure || glued
			}
			texts = append(texts, before+value+r)
		}
	}
	return texts, unsure || glued
}

func last(s string) string { return s[max(0, len(s)-1):] }

// first is a separator where nothing follows.
func first(s string) string { return (s + ":")[:1] }

func (r rule) matchAction(action string) bool {
	matches := func(pattern string) bool { return Glob(pattern, action) }
	if action == AnyChange { // a deny of one action does not rule out another
		return r.Effect != "deny" && (len(r.NotActions) > 0 || slices.ContainsFunc(r.Actions, changes)) || slices.Contains(r.Actions, "*")
	}
	if len(r.NotActions) > 0 {
		return !slices.ContainsFunc(r.NotActions, matches)
	}
	return slices.ContainsFunc(r.Actions, matches)
}

func changes(action string) bool { return !strings.HasPrefix(action, "view") }

// match tells whether the statement speaks of an action on a resource.
func (r rule) match(action string, res Resource) Verdict {
	if !r.matchAction(action) {
		return No
	}
	v := anyOf(r.specs, func(s Specifier) Verdict { return s.Match(res) })
	if r.unread {
		v = max(v, Unknown)
	}
	if len(r.NotResources) == 0 {
		return v
	}
	if r.unread || slices.ContainsFunc(r.specs, func(s Specifier) bool { return s.SameKinds(res.Specifier) }) {
		return v.not()
	}
	return No
}

type rules []rule

// tooMany tells whether there are more specifiers than can be held against each other in little time.
func (p rules) tooMany() bool {
	n := 0
	for _, r := range p {
		n += len(r.specs)
	}
	return n > maxCompared
}

func readAll(policy []Statement, attrs Attributes) rules {
	out := make(rules, len(policy))
	for i, s := range policy {
		out[i] = read(i, s, attrs)
	}
	return out
}

// Decide tells what one policy by itself says of an action on a resource, and
// the index of the statement that decides; -1 when none speaks of it.
func Decide(policy []Statement, action string, res Resource) (Verdict, int) {
	return readAll(policy, Attributes{}).decide(action, res)
}

func (p rules) decide(action string, res Resource) (Verdict, int) {
	denies, denied := p.strongest("deny", action, res)
	allows, allowed := p.strongest("allow", action, res)
	switch {
	case denies == Yes:
		return No, denied
	case denies == Unknown && allows != No:
		return Unknown, denied
	case allows != No:
		return allows, allowed
	}
	return No, -1
}

// strongest is the first statement with an effect that matches, rather one that does for certain.
func (p rules) strongest(effect, action string, res Resource) (Verdict, int) {
	best, at := No, -1
	for _, r := range p {
		if r.Effect != effect {
			continue
		}
		if v := r.match(action, res); v > best {
			best, at = v, r.index
		}
	}
	return best, at
}

// UsesAttributes tells whether a statement depends on role attributes.
func UsesAttributes(s Statement) bool {
	return slices.ContainsFunc(slices.Concat(s.Resources, s.NotResources), placeholder().MatchString)
}
