package main

import (
	"fmt"
	"strings"
)

// exampleHome is the home directory that the README's examples have.
const exampleHome = "/Users/you"

// clientSections are the README's words on each client, with the entries that install would write on macOS.
func clientSections() (string, error) {
	getenv := func(name string) string {
		if name == "HOME" {
			return exampleHome
		}
		return ""
	}
	p := places{goos: "darwin", getenv: getenv, exists: func(string) bool { return false }}
	a := newApp(getenv, nil, nil, nil)
	var b strings.Builder
	var others []string
	for i, c := range knownClients {
		if i >= documented {
			others = append(others, fmt.Sprintf("%s (`%s`)", c.title, c.name))
			continue
		}
		cmd := installCmd{Name: "launchdarkly", Scope: "user", Command: "/path/to/ld-mcp"}
		e := edit{client: c, name: cmd.Name}
		if _, err := cmd.fill(&e, a, p); err != nil {
			return "", err
		}
		file, err := c.user(p)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "### %s\n\n`ld-mcp install %s` changes `%s`", c.title, c.name, strings.Replace(file, exampleHome, "~", 1))
		if c.project != "" {
			fmt.Fprintf(&b, ", with `--scope project` `%s`", c.project)
		}
		b.WriteString(".")
		if c.reference == "" && !c.byName {
			b.WriteString(" It expands no variables, so the entry names a file that only you can read.")
		}
		if c.doc != "" {
			b.WriteString(" " + c.doc)
		}
		language, text := c.format, c.snippet(cmd.Name, e.entry, e.inputs)
		if run := c.claude(cmd, e); run != "" {
			language, text = "sh", run+"\n"
		}
		fmt.Fprintf(&b, "\n\n```%s\n%s```\n\n", language, text)
	}
	fmt.Fprintf(&b, "### Others\n\n`ld-mcp install` knows %s too.\n", strings.Join(others, ", "))
	return b.String(), nil
}
