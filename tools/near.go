package tools

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/internal/typo"
	"github.com/ld-mcp/ld-mcp/ldclient"
)

// absent is a part of a reply that is not there although the request succeeded, such as an environment of a flag.
func absent(kind, key string, have []string) error {
	return &ldclient.Error{Status: 404, Code: "not_found", Message: fmt.Sprintf("there is no %s %q%s", kind, key, didYouMean(key, have))}
}

// orOthers is err, or, where that says that something is not there, the same with what there is.
func orOthers(err error, kind, key string, list func() ([]string, error)) error {
	if !ldclient.IsNotFound(err) {
		return err
	}
	have, other := list()
	if other != nil {
		return err
	}
	return absent(kind, key, have)
}

// near says which of the keys in a call is wrong, and offers the ones nearest to it.
func (c *call) near(ctx context.Context, e *ldclient.Error) string {
	if strings.Contains(e.Message, "there is no ") { // absent has said it
		return "It may also be that the token may not see it."
	}
	t := c.target
	ctx = ldclient.WithoutWrites(ctx)
	const unseen = " It may also be that the token may not see it."
	if t.Project == "" {
		switch t.Kind {
		case "webhook":
			return "Check the id with list-webhooks." + unseen
		case "relay-proxy-config":
			return "Check the id with list-relay-configs." + unseen
		case "team", "role", "application":
			return "Check the key with list-" + t.Kind + "s." + unseen
		}
		switch c.tool.Name {
		case getAuditLogEntry.Name:
			return "Find its id with query-audit-log." + unseen
		case getMember.Name:
			return "Find the id or email with find-members." + unseen
		}
		return "Check the key." + unseen
	}
	if _, err := c.ld.Projects.Get(ctx, t.Project); ldclient.IsNotFound(err) {
		got, err := c.ld.Projects.List(ctx, ldclient.ListProjects{Paging: ldclient.Paging{Limit: 100}})
		if err != nil {
			return "Check projectKey with list-projects." + unseen
		}
		have := keysOf(got.Items, func(p ldclient.Project) string { return p.Key })
		have = slices.DeleteFunc(have, func(k string) bool { return !c.ld.Scope().AllowsProject(k) })
		return fmt.Sprintf("There is no project %q%s. Check it with list-projects.%s", t.Project, didYouMean(t.Project, have), unseen)
	}
	if t.Environment != "" {
		if envs, err := c.ld.Environments.All(ctx, t.Project); err == nil {
			have := keysOf(envs, func(e ldclient.Environment) string { return e.Key })
			have = slices.DeleteFunc(have, func(k string) bool { return !c.ld.Scope().AllowsEnvironment(k) })
			if !slices.Contains(have, t.Environment) {
				return fmt.Sprintf("There is no environment %q%s.%s", t.Environment, didYouMean(t.Environment, have), unseen)
			}
		}
	}
	switch t.Kind {
	case "destination":
		return "Check the id with list-destinations." + unseen
	case "flag":
		have := c.keysLike(func(query string) ([]string, error) {
			return keysOn(func(f ldclient.Flag) string { return f.Key })(c.ld.Flags.List(ctx, t.Project, ldclient.ListFlags{Query: query, Paging: ldclient.Paging{Limit: 100}}))
		})
		return fmt.Sprintf("There is no flag %q in project %s%s. Search with list-flags.%s", t.Key, t.Project, didYouMean(t.Key, have), unseen)
	case "segment":
		have := c.keysLike(func(query string) ([]string, error) {
			return keysOn(func(s ldclient.Segment) string { return s.Key })(c.ld.Segments.List(ctx, t.Project, t.Environment, ldclient.ListSegments{Query: query, Paging: ldclient.Paging{Limit: 100}}))
		})
		return fmt.Sprintf("There is no segment %q in environment %s%s. Search with list-segments.%s", t.Key, t.Environment, didYouMean(t.Key, have), unseen)
	case "aiconfig":
		have := c.keysLike(func(query string) ([]string, error) {
			return keysOn(func(a ldclient.AIConfig) string { return a.Key })(c.ld.AIConfigs.List(ctx, t.Project, ldclient.Paging{Limit: 100}))
		})
		return fmt.Sprintf("There is no AI config %q in project %s%s. Search with list-ai-configs.%s", t.Key, t.Project, didYouMean(t.Key, have), unseen)
	}
	if c.tool.Name == "undo-change" {
		return "Find the entry's id with query-audit-log." + unseen
	}
	return "Check the keys." + unseen
}

// keysLike lists keys that hold the longest word of the one that was not found, or, where none does, the first hundred.
func (c *call) keysLike(list func(query string) ([]string, error)) []string {
	return keysLike(c.target.Key, list)
}

func keysLike(key string, list func(query string) ([]string, error)) []string {
	words := strings.FieldsFunc(key, func(r rune) bool { return strings.ContainsRune("-_. ", r) })
	longest := ""
	for _, w := range words {
		if len(w) > len(longest) {
			longest = w
		}
	}
	have, err := list(longest)
	if err != nil || len(have) == 0 {
		have, _ = list("")
	}
	return have
}

// keysOn gives the keys of a page as it was read.
func keysOn[T any](key func(T) string) func(*ldclient.Page[T], error) ([]string, error) {
	return func(got *ldclient.Page[T], err error) ([]string, error) {
		if err != nil {
			return nil, err
		}
		return keysOf(got.Items, key), nil
	}
}

func keysOf[T any](items []T, key func(T) string) []string {
	out := make([]string, len(items))
	for i, item := range items {
		out[i] = key(item)
	}
	return out
}

// didYouMean offers up to three keys that are near to the one given, or all of a short list.
func didYouMean(given string, have []string) string {
	if near := nearest(given, have); near != "" {
		return near
	}
	if len(have) > 0 && len(have) <= 10 {
		return " (there are " + strings.Join(have, ", ") + ")"
	}
	return ""
}

// nearest offers up to three keys that are near to the one given.
func nearest(given string, have []string) string { return typo.Nearest(given, have) }
