package tools_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ld-mcp/ld-mcp/tools"
)

const (
	namesFile    = "../../shared/reference/tools.md" // beside a checkout
	coverageFile = "../docs/coverage.md"
)

// reached says how a name is served that is neither a tool nor an alias of one:
// by other tools, or through LaunchDarkly's hosted server, which alone has it.
var reached = map[string]string{
	"update-flag-maintainer": "`update-flag-settings`, instructions `updateMaintainerMember`, `updateMaintainerTeam`, `removeMaintainer`",
	"custom properties":      "`update-flag-settings`, instructions `addCustomProperties`, `replaceCustomProperties`, `removeCustomProperties`",
	"environment releases":   "`read-api` and `write-api`, where the account's OpenAPI document has them",
	"release policies CRUD":  "`list-release-policies`, `get-release-policy`, `create-release-policy`, `update-release-policy`, `delete-release-policy`",
	"metric groups":          "`list-metric-groups`, `get-metric-group`, `create-metric-group`, `update-metric-group`, `delete-metric-group`",
	"views":                  "`list-views`, `get-view`, `link-to-view`, `unlink-from-view`",
	"flag links":             "`list-flag-links`, `create-flag-link`, `update-flag-link`, `delete-flag-link`",
	"applications":           "`list-applications`, `get-application`",
	"followers":              "`list-flag-followers`, `add-flag-follower`, `remove-flag-follower`",
}

// TestCoverage writes, with -update, and checks the table of what LaunchDarkly's
// servers and this one offer, row by row: each name is a tool, an alias, or reached otherwise.
func TestCoverage(t *testing.T) {
	text, err := os.ReadFile(namesFile)
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	how := map[string]string{}
	for _, set := range tools.Catalog() {
		for _, tool := range set.Tools {
			how[tool.Name] = "tool | `" + set.Name + "`"
			for _, alias := range tool.Aliases {
				how[alias] = "alias of `" + tool.Name + "` | `" + set.Name + "`"
			}
		}
	}
	r := start(t)
	var out strings.Builder
	out.WriteString("# Where every tool is\n\nEach tool of LaunchDarkly's own MCP servers, and each that only ld-mcp has, with how it is called here. " +
		"What has no public endpoint is reached through LaunchDarkly's hosted server with `--hosted-tools`.\n")
	n := 0
	for _, section := range []struct{ number, title string }{{"1", "LaunchDarkly's names"}, {"2", "Names of ld-mcp"}, {"5", "Without a public endpoint"}} {
		fmt.Fprintf(&out, "\n## %s\n\n| Name | Here | Toolset |\n|---|---|---|\n", section.title)
		for _, row := range namesOf(t, string(text), section.number) {
			n++
			says := how[row.name]
			switch {
			case says != "":
			case reached[row.name] != "":
				says = reached[row.name] + " | "
				for _, name := range backquoted.FindAllStringSubmatch(reached[row.name], -1) {
					if how[name[1]] == "" && strings.Contains(name[1], "-") {
						t.Errorf("%s is said to be reached through %s, which is no tool", row.name, name[1])
					}
				}
			case row.hosted:
				says = "`--hosted-tools " + row.name + "` | `hosted`"
				if got := r.call(row.name, `{"projectKey":"shop"}`); !strings.HasPrefix(got, "! "+row.name+" is only on the MCP server that LaunchDarkly hosts") {
					t.Errorf("%s: %s", row.name, got)
				}
			default:
				t.Errorf("%s is not reached", row.name)
			}
			fmt.Fprintf(&out, "| `%s` | %s |\n", row.name, says)
		}
	}
	if n < 150 {
		t.Errorf("only %d names were read", n)
	}
	golden(t, coverageFile, out.String())
}

type catalogued struct {
	name   string
	hosted bool // without a public endpoint
}

var (
	backquoted = regexp.MustCompile("`([^`]+)`")
	plural     = regexp.MustCompile(`^(\S+)\(s\)$`)
)

// namesOf reads the names in the first column of a section's tables. What is
// named in plain words there is one of reached.
func namesOf(t *testing.T, text, section string) []catalogued {
	t.Helper()
	_, text, ok := strings.Cut(text, "\n## "+section+". ")
	if !ok {
		t.Fatalf("%s has no section %s", namesFile, section)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	var out []catalogued
	add := func(name string, hosted bool) {
		if !slices.ContainsFunc(out, func(c catalogued) bool { return c.name == name }) {
			out = append(out, catalogued{name, hosted})
		}
	}
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.ReplaceAll(strings.TrimSpace(line), `\|`, "/"), "|")
		if len(cells) < 4 || strings.Contains(cells[1], "---") || strings.TrimSpace(cells[1]) == "Tool" {
			continue
		}
		hosted := strings.Contains(cells[len(cells)-2], "**n**")
		for _, quoted := range backquoted.FindAllStringSubmatch(cells[1], -1) {
			for _, name := range spelledOut(quoted[1]) {
				add(name, hosted)
			}
		}
		for words := range reached {
			if strings.Contains(cells[1], words) {
				add(words, hosted)
			}
		}
	}
	if len(out) == 0 {
		t.Fatalf("%s: no names in section %s", namesFile, section)
	}
	slices.SortStableFunc(out, func(a, b catalogued) int { return strings.Compare(a.name, b.name) })
	return out
}

// spelledOut turns list-/create-thing(s) into list-things and create-thing.
func spelledOut(name string) []string {
	if !strings.Contains(name, "-") {
		return []string{name}
	}
	parts := strings.Split(name, "/")
	last := parts[len(parts)-1]
	verb, noun, _ := strings.Cut(last, "-")
	singular, several := noun, noun
	if m := plural.FindStringSubmatch(noun); m != nil {
		singular, several = m[1], m[1]+"s"
	}
	parts[len(parts)-1] = verb + "-"
	var out []string
	for _, p := range parts {
		if verb := strings.TrimSuffix(p, "-"); verb == "list" && singular != several {
			out = append(out, verb+"-"+several)
		} else {
			out = append(out, verb+"-"+singular)
		}
	}
	return out
}
