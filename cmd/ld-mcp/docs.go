package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ld-mcp/ld-mcp/tools"
)

type docsCmd struct {
	Write string `placeholder:"FILE" help:"Bring the generated parts of a README.md or server.json up to date."`
	Check string `placeholder:"FILE" help:"Fail when the generated parts of a README.md or server.json are not up to date."`
}

func (cmd docsCmd) Run(_ context.Context, a *app) error {
	if cmd.Write != "" && cmd.Check != "" {
		return usagef("--write and --check can't be used together; give one of them")
	}
	file := cmd.Write + cmd.Check
	if file == "" {
		parts, err := generatedParts()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.stdout, "## Options\n\n%s\n## Tools\n\n%s", parts["options"], parts["tools"])
		return err
	}
	was, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("the file cannot be read: %w", err)
	}
	is, err := regenerate(file, was)
	switch {
	case err != nil:
		return err
	case string(is) == string(was):
		return nil
	case cmd.Check != "":
		return fmt.Errorf("%s is not up to date; run ld-mcp docs --write %s", file, file)
	}
	return os.WriteFile(file, is, 0o644)
}

// regenerate returns the text of a file with its generated parts brought up to date.
func regenerate(file string, text []byte) ([]byte, error) {
	if filepath.Base(file) == "server.json" {
		return regenerateEntry(text)
	}
	parts, err := generatedParts()
	if err != nil {
		return nil, err
	}
	s := string(text)
	for _, name := range []string{"options", "tools", "clients"} {
		begin, end := "<!-- begin "+name+" -->\n", "<!-- end "+name+" -->"
		before, rest, ok := strings.Cut(s, begin)
		_, after, ok2 := strings.Cut(rest, end)
		if !ok || !ok2 {
			return nil, fmt.Errorf("%s lacks the lines %s and %s; put them where the table of %s belongs", file, strings.TrimSpace(begin), end, name)
		}
		s = before + begin + parts[name] + end + after
	}
	return []byte(s), nil
}

// generatedParts are the pieces of the README that are read from the program itself.
func generatedParts() (map[string]string, error) {
	table, err := toolsTables()
	if err != nil {
		return nil, err
	}
	clients, err := clientSections()
	if err != nil {
		return nil, err
	}
	return map[string]string{"options": optionsTable(), "tools": table, "clients": clients}, nil
}

func optionsTable() string {
	var b strings.Builder
	var names []string
	for _, name := range tokenVariables {
		names = append(names, "`"+name+"`")
	}
	fmt.Fprintf(&b, "The access token comes from the first of these variables that is set: %s. "+
		"With `_FILE` appended, each may name a file instead, which is read again when it changes. There is no option for it.\n\n", strings.Join(names, ", "))
	b.WriteString("| Option | Variable | Default | Meaning |\n|---|---|---|---|\n")
	for _, p := range parameters(new(options)) {
		fallback := ""
		if p.fallback != "" {
			fallback = "`" + p.fallback + "`"
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", strings.Replace(p.summary(), "=", " ", 1), variableOf(p.name), fallback, cell(p.help))
	}
	return b.String()
}

func toolsTables() (string, error) {
	a := newApp(func(string) string { return "" }, nil, nil, nil)
	a.Region, a.Confirm = "us", string(tools.ConfirmAuto)
	client, err := a.clientWithout()
	if err != nil {
		return "", err
	}
	s, err := tools.New(tools.Options{Client: client})
	if err != nil {
		return "", err
	}
	bySet := map[string][]tools.Info{}
	for _, t := range s.Tools() {
		bySet[t.Toolset] = append(bySet[t.Toolset], t)
	}
	var b strings.Builder
	for _, set := range tools.Catalog() {
		fmt.Fprintf(&b, "#### `%s`\n\n%s\n\n| Tool | What it does | Effect | Role action | Required | On by default |\n|---|---|---|---|---|---|\n", set.Name, set.Doc)
		for _, t := range bySet[set.Name] {
			var schema struct{ Required []string }
			if err := json.Unmarshal(t.InputSchema, &schema); err != nil {
				return "", err
			}
			var required []string
			for _, name := range schema.Required {
				required = append(required, "`"+name+"`")
			}
			on := "yes"
			if t.Hidden != "" {
				on = "no"
			}
			action := ""
			if t.Action != "" {
				action = "`" + t.Action + "`"
			}
			name := t.Name
			if len(t.Aliases) > 0 {
				name += "`, also `" + strings.Join(t.Aliases, "`, `")
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", name, cell(firstSentence(t.Description)), t.Effect, action, strings.Join(required, ", "), on)
		}
		b.WriteString("\n")
	}
	return b.String(), nil
}

func firstSentence(text string) string {
	if i := strings.Index(text, ". "); i >= 0 {
		return text[:i+1]
	}
	return text
}

// cell makes text fit into a cell of a Markdown table.
func cell(text string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ", "<", "&lt;").Replace(text)
}
