package tools

import (
	"strings"
	"testing"
)

// TestPromptsNameTools: every tool that a prompt names exists, and a step whose tool is not served is left out.
func TestPromptsNameTools(t *testing.T) {
	exists := map[string]bool{}
	for _, set := range Catalog() {
		for _, tool := range set.Tools {
			exists[tool.Name] = true
		}
	}
	for _, p := range prompts {
		given := map[string]string{}
		for _, a := range p.arguments {
			given[a.name] = "the " + a.name
		}
		text, err := p.text(given, func(string) bool { return true })
		if err != nil {
			t.Fatal(err)
		}
		for _, named := range namedTool().FindAllStringSubmatch(text, -1) {
			if !exists[named[1]] {
				t.Errorf("%s names %s, which is no tool", p.name, named[1])
			}
		}
		if strings.Contains(text, "<") {
			t.Errorf("%s: an argument was not put in: %s", p.name, text)
		}
		none, err := p.text(given, func(string) bool { return false })
		if err != nil || namedTool().MatchString(none) || len(none) >= len(text) {
			t.Errorf("%s names tools that are not served: %s", p.name, none)
		}
		if _, err := p.text(nil, func(string) bool { return true }); err == nil {
			t.Errorf("%s: required arguments are not required", p.name)
		}
	}
}
