package main

import (
	"fmt"
	"os"
	"strings"
)

const (
	begin = "<!-- begin bench -->\n"
	end   = "<!-- end bench -->"
)

// writeInto puts text between the marks in a file.
func writeInto(file, text string) error {
	was, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("the table cannot be written: %w", err)
	}
	is, err := between(string(was), text)
	if err != nil {
		return fmt.Errorf("%s %w", file, err)
	}
	return os.WriteFile(file, []byte(is), 0o644)
}

func between(file, text string) (string, error) {
	before, rest, ok := strings.Cut(file, begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return "", fmt.Errorf("lacks the lines %s and %s; put them where the table belongs", strings.TrimSpace(begin), end)
	}
	return before + begin + text + end + after, nil
}

// markdown is the table as it stands in the README.
func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s The two took turns, against the same sandbox account of %s flags. Numbers are medians.\n\n", r.where(), thousands(flagCount))
	b.WriteString("| | " + strings.Join(headings[1:], " | ") + " |\n|---|--:|--:|--:|--:|\n")
	for i, line := range r.cells() {
		if r.rows[i].missed() {
			line[len(line)-1] += " (missed)"
		}
		b.WriteString("| " + strings.Join(line, " | ") + " |\n")
	}
	b.WriteString("\n" + notes)
	return b.String()
}

// notes say what was asked of each, so that others can judge whether it was the same.
var notes = fmt.Sprintf(`What was asked of each:

- *Start*: Node.js runs the official server's file itself; `+"`npx`"+`, which its documentation starts it with, comes on top.
- *Memory* is the process's own peak (VmHWM).
- *Tokens* are those of o200k_base, in the text of a tool's reply; `+"`tools/list`"+` counts as it goes over the wire.
- *List*: `+"`list-flags`"+` with an environment, and `+"`list-feature-flags`"+` with `+"`env`"+`, in pages of %d because it reads one a call: requests to LaunchDarkly are the same, which is checked. Without `+"`env`"+` the official server's list is shorter, but does not say whether a flag is on; the target counts against that one.
- *One flag*: `+"`get-flag`"+` and `+"`get-feature-flag`"+`, both for one environment and with the same single request.
- *Turned on or off*: `+"`toggle-flag`"+`, which reads the flag and the environment's rules first, and `+"`update-feature-flag`"+` with a JSON Patch, which does not.
- *Audit log*: the newest ten entries of the account.
- *Added*: how much longer a call takes than the plain requests behind it, made in turn with it over a connection that is kept open.
- *At once*: calls for as many flags, sent in one session before any answer is read. A wrong answer is one about another flag.
- *Installed*: the one program here; the official server with its modules, Node.js itself counted in the second row only.

To repeat it, on Linux with Go and Node.js: `+"`go run ./bench --check`"+`; `+"`--write README.md`"+` writes this section.
`, pageSize)
