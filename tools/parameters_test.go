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

// moreNames are what the catalogue says of a tool's parameters in prose, in the form of a cell of its table.
var moreNames = map[string]string{
	"copy-flag-config":                    "**projectKey, flagKey, fromEnv, toEnv**; source, target, includedActions[] `updateOn|updateRules|updateFallthrough|updateOffVariation|updatePrerequisites|updateTargets`, comment",
	"create-experiment":                   "**projectKey, environmentKey, key, name, iteration{hypothesis, primarySingleMetricKey, primaryFunnelKey, metrics[{key}], treatments[{name,baseline,allocationPercent,parameters[{flagKey,variationId}]}], flags{<flagKey>:{ruleId,flagConfigVersion}}, randomizationUnit, attributes[], covariateId, canReshuffleTraffic}**; description, tags[], methodology `bayesian|frequentist|export_only`, holdoutId, dataSource `launchdarkly|snowflake|databricks`, analysisConfig",
	"update-experiment":                   "**projectKey, environmentKey, experimentKey**; name, description, tags[], hypothesis, metrics[{key}], treatments[{name,baseline,allocationPercent,parameters[{flagKey,variationId}]}], primarySingleMetricKey, primaryFunnelKey, canReshuffleTraffic, randomizationUnit, attributes[], flags, covariateId, methodology, holdoutId, dataSource, analysisConfig",
	"save-and-start-experiment-iteration": "**projectKey, environmentKey, experimentKey, changeJustification**; treatments[], metrics[], hypothesis, name, description, tags[], flags, randomizationUnit, attributes[], canReshuffleTraffic, primarySingleMetricKey, primaryFunnelKey",
	"update-agent-graph":                  "**projectKey, graphKey, key**; name, rootConfigKey, edges[{key,sourceConfig,targetConfig,handoff}], description",
	"delete-prompt-snippet":               "**projectKey, snippetKey**; confirm",
	"delete-agent-graph":                  "**projectKey, graphKey, key**; confirm",
	"list-projects":                       "limit, offset, query",
	"create-ai-tool":                      "**projectKey, key, description, schema**; toolKey",
	"get-ai-tool":                         "**projectKey, toolKey**; key",
	"clone-ai-config-variation":           "**projectKey, configKey, sourceVariationKey, key, name**; newKey, newName, modelConfigKey, modelName, instructions, messages[], parameters, tools[]",
	"find-members":                        "query, limit, offset",
	"invite-members":                      "**members[{email, role}]**",
	"match-release-policies":              "**projectKey, environmentKey**; flagKey, flagTags[]",
}

var ownNames = regexp.MustCompile("^`([a-z-]+)`$")

type parameter struct {
	name     string
	required bool
	words    []string // what it may be
	kinds    []string // of its instructions
	inner    []parameter
}

// TestParameters holds every tool to the parameters under which LaunchDarkly's own
// server has it: each is taken, by its name or as another spelling, and so are its words.
func TestParameters(t *testing.T) {
	text, err := os.ReadFile(namesFile)
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	r, taken, n := start(t), tools.Parameters(), 0
	for name, wanted := range parametersOf(t, string(text)) {
		has, ok := taken[name]
		if !ok {
			t.Errorf("%s is no tool", name)
			continue
		}
		n += r.checkTaken(name, wanted, has)
	}
	if n < 300 {
		t.Errorf("only %d parameters were read", n)
	}
}

// checkTaken counts the parameters it looked for.
func (r *rig) checkTaken(where string, wanted []parameter, has []tools.Parameter) int {
	t := r.t
	t.Helper()
	n := 0
	tells := !strings.Contains(where, ".") && slices.ContainsFunc(wanted, func(w parameter) bool { return w.required })
	for _, p := range has {
		if p.Required && tells && !slices.ContainsFunc(wanted, func(w parameter) bool { return slices.Contains(p.Names, w.name) }) {
			t.Errorf("%s requires %s, which callers do not know", where, p.Names[0])
		}
	}
	for _, w := range wanted {
		n++
		i := slices.IndexFunc(has, func(p tools.Parameter) bool { return slices.Contains(p.Names, w.name) })
		if i < 0 && w.name == "env" {
			i = slices.IndexFunc(has, func(p tools.Parameter) bool { return slices.Contains(p.Names, "environmentKey") })
		}
		if i < 0 {
			t.Errorf("%s does not take %s", where, w.name)
			continue
		}
		p, at := has[i], where+"."+w.name
		if p.Required && !w.required && tells && !slices.ContainsFunc(wanted, func(w parameter) bool { return w.required && slices.Contains(p.Names, w.name) }) {
			t.Errorf("%s is required and need not be given elsewhere", at)
		}
		if p.Any {
			continue
		}
		for _, word := range w.words {
			if len(p.Words) > 0 && !slices.Contains(p.Words, any(word)) {
				t.Errorf("%s is not %q, only %v", at, word, p.Words)
			}
		}
		if len(w.kinds) > 0 {
			i := slices.IndexFunc(p.Inner, func(p tools.Parameter) bool { return p.Names[0] == "kind" })
			for _, kind := range w.kinds {
				if i < 0 || len(p.Inner[i].Words) > 0 && !slices.Contains(p.Inner[i].Words, any(kind)) {
					t.Errorf("%s takes no %s", at, kind)
				} else if len(p.Inner[i].Words) == 0 { // the code tells what the schema does not
					args := fmt.Sprintf(`{"projectKey":"shop","configKey":"support-agent","env":"test","instructions":[{"kind":%q}]}`, kind)
					if got := r.call(where, args); !strings.Contains(got, "("+kind+")") || strings.Contains(got, "no such kind") {
						t.Errorf("%s: %s", at, got)
					}
				}
			}
		}
		n += r.checkTaken(at, w.inner, p.Inner)
	}
	return n
}

// parametersOf reads the tables of section 1, those rows that have a public endpoint.
func parametersOf(t *testing.T, text string) map[string][]parameter {
	t.Helper()
	_, text, ok := strings.Cut(text, "\n## 1. ")
	if !ok {
		t.Fatalf("%s has no section 1", namesFile)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	out := map[string][]parameter{}
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.ReplaceAll(strings.TrimSpace(line), `\|`, "\x00"), "|")
		if len(cells) < 7 || strings.Contains(cells[5], "**n**") {
			continue
		}
		m := ownNames.FindStringSubmatch(strings.TrimSpace(cells[1]))
		if m == nil {
			continue
		}
		cell := strings.ReplaceAll(strings.ReplaceAll(cells[4], "\x00", "|"), "`(default)`", "")
		if by := moreNames[m[1]]; by != "" {
			cell = by
		}
		for _, end := range []string{". Returns", ". Output", ". `variationId`", ". AI config:", "; + any", ", sum must"} {
			cell, _, _ = strings.Cut(cell, end)
		}
		r := &cellReader{text: cell}
		out[m[1]] = r.list()
		if r.at < len(r.text) {
			t.Fatalf("%s: cannot read %q", m[1], r.text[r.at:])
		}
	}
	if len(out) < 60 {
		t.Fatalf("%s: only %d tools have parameters", namesFile, len(out))
	}
	return out
}

// A cellReader reads parameters as the catalogue writes them: **name[{inner,…}]** `word|word` (remark); name.
type cellReader struct {
	text string
	at   int
	bold bool
}

var (
	wordAhead = regexp.MustCompile(`^[A-Za-z_]+`)
	kindWords = regexp.MustCompile(`\b(?:add|remove|update|reorder|replace|clear|mark)[A-Z]\w*`)
	olderWays = regexp.MustCompile("(?:older form|or) `?([A-Za-z/]+)")
	inPlain   = []string{"or", "one", "of"}
)

func (r *cellReader) ahead(s string) bool {
	if strings.HasPrefix(r.text[r.at:], s) {
		r.at += len(s)
		return true
	}
	return false
}

// until gives what comes before end, and steps over both.
func (r *cellReader) until(end string) string {
	before, _, ok := strings.Cut(r.text[r.at:], end)
	r.at += len(before)
	if ok {
		r.at += len(end)
	}
	return before
}

// list reads parameters up to the end of the text or of the object that it is in.
func (r *cellReader) list() (out []parameter) {
	for r.at < len(r.text) && r.text[r.at] != '}' && r.text[r.at] != ']' {
		switch word := wordAhead.FindString(r.text[r.at:]); {
		case r.ahead("**"):
			r.bold = !r.bold
		case r.ahead("(none required)"), slices.ContainsFunc([]string{" ", ",", ";", "|", "?", "+", "..."}, r.ahead):
		case r.ahead("`"):
			out[len(out)-1].words = strings.Split(r.until("`"), "|")
		case r.ahead("("):
			last, remark := &out[len(out)-1], r.until(")")
			if kinds := kindWords.FindAllString(remark, -1); last.name == "instructions" && len(kinds) > 0 {
				last.kinds = kinds
			} else if m := regexp.MustCompile("^also `(.*)`").FindStringSubmatch(remark); m != nil {
				last.words = append(last.words, m[1])
			} else if m := olderWays.FindStringSubmatch(remark); m != nil && !strings.HasPrefix(remark, "accept") {
				for name := range strings.SplitSeq(m[1], "/") {
					out = append(out, parameter{name: name})
				}
			}
		case slices.Contains(inPlain, word):
			r.at += len(word)
		case word != "":
			r.at += len(word)
			p := parameter{name: word, required: r.bold}
			r.ahead(":")
			switch {
			case r.ahead("[{"):
				p.inner = r.list()
				r.until("]")
			case r.ahead("{<"):
				r.until("{")
				p.inner = r.list()
				r.until("}}")
			case r.ahead("{"):
				p.inner = r.list()
				r.until("}")
			case r.ahead("[]"):
			}
			out = append(out, p)
		default:
			return out
		}
	}
	return out
}
