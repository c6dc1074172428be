package main

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/ld-mcp/ld-mcp/tools"
)

// The README and server.json of this repository say what the program does.
func TestRepositoryDocsAreCurrent(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"../../README.md", "../../server.json"} {
		if got := invoke(t, nil, "", "docs", "--check", file); got.err != nil {
			t.Error(got.err)
		}
	}
}

func TestDocsNameEveryTool(t *testing.T) {
	t.Parallel()
	got := invoke(t, nil, "", "docs")
	if got.err != nil {
		t.Fatal(got.err)
	}
	for _, set := range tools.Catalog() {
		if !strings.Contains(got.stdout, "#### `"+set.Name+"`") {
			t.Errorf("no table of %s", set.Name)
		}
		for _, tool := range set.Tools {
			if len(tool.StandsFor) > 0 {
				continue
			}
			if !strings.Contains(got.stdout, "\n| `"+tool.Name+"`") {
				t.Errorf("no row of %s", tool.Name)
			}
		}
	}
	for _, line := range strings.Split(got.stdout, "\n") {
		if n := strings.Count(line, "|") - strings.Count(line, `\|`); strings.HasPrefix(line, "|") && n != 5 && n != 7 {
			t.Errorf("a row with %d bars: %s", n, line)
		}
	}
}

// TestServerJSON holds server.json against the registry's rules for an entry with OCI packages.
func TestServerJSON(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../server.json")
	if err != nil {
		t.Fatal(err)
	}
	var e entry
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		t.Fatal(err)
	}
	if e.Schema != "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json" {
		t.Errorf("schema %s", e.Schema)
	}
	if !regexp.MustCompile(`^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$`).MatchString(e.Name) || len(e.Name) < 3 || len(e.Name) > 200 || !strings.HasPrefix(e.Name, "io.github.ld-mcp/") {
		t.Errorf("name %q", e.Name)
	}
	if n := len(e.Description); n < 1 || n > 100 {
		t.Errorf("the description has %d characters", n)
	}
	if len(e.Title) > 100 {
		t.Errorf("the title has %d characters", len(e.Title))
	}
	if !regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`).MatchString(e.Version) {
		t.Errorf("version %q is not one exact version", e.Version)
	}
	if e.Repository == nil || e.Repository.Source != "github" || !strings.HasPrefix(e.Repository.URL, "https://github.com/") {
		t.Errorf("repository %+v", e.Repository)
	}
	if len(e.Packages) == 0 {
		t.Fatal("no package")
	}
	options := invoke(t, nil, "", "--help").stdout
	for _, p := range e.Packages {
		if p.RegistryType != "oci" || p.Transport.Type != "stdio" {
			t.Errorf("package %+v", p)
		}
		if want := "ghcr.io/ld-mcp/ld-mcp:" + e.Version; p.Identifier != want {
			t.Errorf("identifier %q, want %q", p.Identifier, want)
		}
		seen := map[string]bool{}
		for _, v := range p.EnvironmentVariables {
			if seen[v.Name] || v.Description == "" || !regexp.MustCompile(`^(string|number|boolean|filepath)$`).MatchString(v.Format) {
				t.Errorf("variable %+v", v)
			}
			seen[v.Name] = true
			if !strings.Contains(options, "$"+v.Name) {
				t.Errorf("%s is no variable of this program", v.Name)
			}
			if token := v.Name == tokenVariables[0]; v.IsSecret != token || v.IsRequired != token {
				t.Errorf("%s: secret %t, required %t", v.Name, v.IsSecret, v.IsRequired)
			}
		}
		if !seen[tokenVariables[0]] || !seen["LD_MCP_READ_ONLY"] {
			t.Error("the token or --read-only is missing")
		}
	}
}
