package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/rogpeppe/go-internal/diff"
)

// What became of an entry.
const (
	added     = "added"
	replaced  = "replaced"
	unchanged = "unchanged"
	removed   = "removed"
	absent    = "absent"
	toPrint   = "print"
	toRun     = "run"
)

// edit carries out an edit of a file.
func (cmd installCmd) edit(a *app, e edit, done *installed) error {
	f, out, err := cmd.prepare(a, e, done)
	if err != nil || done.Action == unchanged || done.Action == absent {
		return err
	}
	mode, dirMode := f.mode, fs.FileMode(0o700)
	switch {
	case cmd.WriteToken:
		mode = 0o600
	case mode == 0 && cmd.Scope == "project":
		mode, dirMode = 0o644, 0o755
	case mode == 0:
		mode = 0o600
	}
	return f.write(out.text, mode, dirMode)
}

// prepare reads the file and says what an edit makes of it.
func (cmd installCmd) prepare(a *app, e edit, done *installed) (settingsFile, edited, error) {
	if cmd.Scope == "project" {
		if err := inside(cmd.Dir, done.File); err != nil {
			return settingsFile{}, edited{}, err
		}
	}
	f, err := readSettings(done.File)
	if err != nil {
		return f, edited{}, err
	}
	if e.entry == nil && f.mode == 0 {
		done.Action, done.Next = absent, nil
		return f, edited{}, nil
	}
	out, err := e.apply(f.text)
	switch {
	case errors.Is(err, errOtherForm):
		return f, out, fmt.Errorf("%s was left alone, because of %s in it: %w. Edit the file by hand; ld-mcp install %s --print shows the entry", done.File, e.name, err, e.client.name)
	case err != nil:
		return f, out, fmt.Errorf("%s was left alone, because it cannot be read as %s (%w). Mend it, or edit it by hand; ld-mcp install %s --print shows the entry",
			done.File, strings.ToUpper(e.client.format), err, e.client.name)
	}
	done.Entry = hide(a, e.client.format, out.is)
	switch {
	case e.entry == nil && out.was == nil:
		done.Action, done.Next = absent, nil
	case e.entry == nil:
		done.Action, done.Next = removed, []string{e.client.after}
	case bytes.Equal(out.text, f.text):
		done.Action = unchanged
	case out.was == nil:
		done.Action = added
	default:
		done.Action = replaced
	}
	if done.Action == replaced || done.Action == removed {
		done.Diff = entryDiff(hide(a, e.client.format, out.was), hide(a, e.client.format, out.is))
	}
	if out.foreign && !cmd.Force {
		what := "Use --name for another name, or --force to replace it"
		if cmd.Remove {
			what = "Add --force to remove it all the same"
		}
		return f, out, fmt.Errorf("%s was left alone, because its %s does not start ld-mcp. %s", done.File, e.name, what)
	}
	return f, out, nil
}

// entryDiff shows how an entry changes, without the names of files that there are none of.
func entryDiff(was, is string) string {
	lines := func(s string) []byte {
		if s = strings.ReplaceAll(s, "\r\n", "\n"); s != "" && !strings.HasSuffix(s, "\n") {
			s += "\n"
		}
		return []byte(s)
	}
	_, text, _ := strings.Cut(string(diff.Diff("old", lines(was), "new", lines(is))), "\n")
	return text
}

func (a *app) printInstalled(cmd installCmd, done installed) error {
	if cmd.JSON {
		return a.printJSON(done)
	}
	var b strings.Builder
	switch done.Action {
	case toPrint:
		b.WriteString(printed(done))
	case toRun:
		fmt.Fprintf(&b, "claude is not on the PATH, and no other program should change %s. Where it is, run:\n%s\n", done.File, done.Run)
	case added:
		fmt.Fprintf(&b, "Added %s to %s.\n", done.Name, done.File)
	case replaced:
		fmt.Fprintf(&b, "%sReplaced %s in %s.\n", done.Diff, done.Name, done.File)
	case unchanged:
		fmt.Fprintf(&b, "%s is in %s already; nothing to do.\n", done.Name, done.File)
	case removed:
		fmt.Fprintf(&b, "%sRemoved %s from %s.\n", done.Diff, done.Name, done.File)
	case absent:
		fmt.Fprintf(&b, "There is no %s in %s; nothing to do.\n", done.Name, done.File)
	}
	if done.Action != toPrint {
		for _, line := range done.Next {
			b.WriteString(line + "\n")
		}
	}
	_, err := fmt.Fprint(a.stdout, a.secrets.mask(b.String()))
	return err
}

// printed is an entry and where it goes.
func printed(done installed) string {
	if done.Run != "" {
		return done.Run + "\n"
	}
	if done.File == "" {
		return done.Entry
	}
	return done.File + ":\n" + done.Entry
}

func (a *app) printJSON(v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := fmt.Fprint(a.stdout, a.secrets.mask(b.String()))
	return err
}

// listedClient is a row of the list of clients.
type listedClient struct {
	Client string `json:"client"`
	Title  string `json:"title"`
	State  string `json:"state"`
	File   string `json:"file,omitempty"`
}

// listClients shows every client, where its settings are, and whether it seems to be on this machine.
func (a *app) listClients(p places, name string, asJSON bool) error {
	rows := []listedClient{}
	for _, c := range knownClients {
		row := listedClient{Client: c.name, Title: c.title, State: "not seen"}
		if c.user != nil {
			if file, err := c.user(p); err == nil {
				row.File, row.State = file, c.state(p, file, name)
			}
		}
		rows = append(rows, row)
	}
	if asJSON {
		return a.printJSON(rows)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CLIENT\tSTATE\tFILE")
	for _, r := range rows {
		file := r.File
		if file == "" {
			file = "(" + r.Title + ")"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", r.Client, r.State, file)
	}
	return w.Flush()
}

func (c *knownClient) state(p places, file, name string) string {
	home, _ := p.home()
	dir := filepath.Dir(file)
	switch {
	case !p.exists(file) && (dir == home || !p.exists(dir)):
		return "not seen"
	case c.format == "yaml":
		return "present"
	}
	f, err := readSettings(file)
	if err != nil {
		return "unreadable"
	}
	out, err := edit{client: c, name: name}.apply(f.text)
	switch {
	case err != nil && !errors.Is(err, errOtherForm):
		return "unreadable"
	case out.was != nil:
		return "installed"
	}
	return "present"
}
