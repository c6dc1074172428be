package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// entry is this program's entry in the MCP registry, as far as it is used.
type entry struct {
	Schema      string         `json:"$schema"`
	Name        string         `json:"name"`
	Title       string         `json:"title,omitempty"`
	Description string         `json:"description"`
	Version     string         `json:"version"`
	WebsiteURL  string         `json:"websiteUrl,omitempty"`
	Repository  *repository    `json:"repository,omitempty"`
	Packages    []entryPackage `json:"packages"`
}

type repository struct {
	URL    string `json:"url"`
	Source string `json:"source"`
}

type entryPackage struct {
	RegistryType         string           `json:"registryType"`
	Identifier           string           `json:"identifier"`
	RuntimeHint          string           `json:"runtimeHint,omitempty"`
	Transport            entryTransport   `json:"transport"`
	EnvironmentVariables []entryVariables `json:"environmentVariables"`
}

type entryTransport struct {
	Type string `json:"type"`
}

type entryVariables struct {
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Format      string   `json:"format"`
	IsRequired  bool     `json:"isRequired,omitempty"`
	IsSecret    bool     `json:"isSecret,omitempty"`
	Default     string   `json:"default,omitempty"`
	Choices     []string `json:"choices,omitempty"`
}

// regenerateEntry brings the variables of a server.json up to date.
func regenerateEntry(text []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var e entry
	if err := d.Decode(&e); err != nil {
		return nil, fmt.Errorf("server.json is not as it is expected: %w", err)
	}
	variables := entryVariablesOf()
	for i := range e.Packages {
		e.Packages[i].EnvironmentVariables = variables
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(e)
	return b.Bytes(), err
}

// entryVariablesOf describes the environment variables that make sense in a container on stdio.
func entryVariablesOf() []entryVariables {
	out := []entryVariables{{Name: tokenVariables[0], Description: "LaunchDarkly API access token.", Format: "string", IsRequired: true, IsSecret: true}}
	for _, p := range parameters(new(options)) {
		if p.name == "http" { // no one outside the container could reach its loopback address
			continue
		}
		v := entryVariables{Name: variableOf(p.name), Description: p.help, Format: "string", Default: p.fallback, Choices: p.choices}
		switch {
		case p.isSwitch():
			v.Format = "boolean"
		case p.name == "audit-file":
			v.Format = "filepath"
		case slices.Contains([]string{"max-reply-bytes", "sandbox-flags"}, p.name):
			v.Format = "number"
		}
		out = append(out, v)
	}
	return out
}
