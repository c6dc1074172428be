package main

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// author writes random JSON with comments and trailing commas.
type author struct{ *rand.Rand }

func (r author) space() string {
	return []string{"", "", " ", "\n", "\n  ", "\t", "\r\n", " // note, with \"x\": {\n", "/* a } b , */", "\n\n// - - -\n  ", " /* // */ "}[r.IntN(11)]
}

func (r author) value(depth int) string {
	n := r.IntN(8)
	if depth == 0 {
		n = r.IntN(5)
	}
	switch n {
	case 0:
		return []string{"1.50", "-0", "1e3", "12345678901234567890"}[r.IntN(4)]
	case 1:
		return []string{"true", "false", "null"}[r.IntN(3)]
	case 2, 3, 4:
		return []string{`"plain"`, `"// none */ "`, `"q\"uote, }"`, `"üñ 😀"`, `""`}[r.IntN(5)]
	case 5:
		return r.list("[", "]", func(int) string { return r.value(depth - 1) })
	}
	return r.object(depth, nil)
}

func (r author) object(depth int, also map[string]string) string {
	names := []string{"a", "b//", "launch", "d,e", "mcp"}
	return r.list("{", "}", func(i int) string {
		name := names[i%len(names)]
		if text, ok := also[name]; ok {
			return quote(name) + r.space() + ":" + r.space() + text
		}
		return quote(name) + r.space() + ":" + r.space() + r.value(depth-1)
	})
}

func (r author) list(open, end string, item func(int) string) string {
	text, n := open+r.space(), r.IntN(5)
	for i := range n {
		text += item(i) + r.space()
		if i < n-1 || r.IntN(3) == 0 {
			text += "," + r.space()
		}
	}
	return text + end
}

// Whatever the file, an edit inserts bytes and changes none, and taking the entry out leaves what was there.
func TestEditsKeepEverythingElse(t *testing.T) {
	t.Parallel()
	withTop, changed := 0, 0
	for seed := range uint64(2000) {
		r := author{rand.New(rand.NewPCG(seed, 7))}
		also := map[string]string{}
		if seed%2 == 0 {
			also["a"] = r.object(2, map[string]string{"mcp": r.value(1)})
		}
		text := r.space() + r.object(3, also) + r.space()
		c := &knownClient{name: "x", top: "a", format: "json", stdio: command("stdio"), inputs: seed%5 == 0}
		e := edit{client: c, name: "launchdarkly", entry: command("stdio")(launch{command: "/bin/ld-mcp", args: []string{"--read-only"}, env: object{{"A", "${A}"}}})}
		before, err := readJSON([]byte(text))
		if err != nil {
			t.Fatalf("seed %d: the test wrote bad JSON: %v\n%s", seed, err, text)
		}
		top, there := before["a"]
		servers, isObject := top.(map[string]any)
		got, err := e.apply([]byte(text))
		if there && !isObject {
			if err == nil {
				t.Errorf("seed %d: %q is no object, and yet there was an edit:\n%s", seed, "a", got.text)
			}
			continue
		}
		if err != nil {
			t.Errorf("seed %d: %v\n%s", seed, err, text)
			continue
		}
		changed++
		if !contains(string(got.text), text) {
			t.Errorf("seed %d: bytes were lost:\n%s\nbecame\n%s", seed, text, got.text)
		}
		after, err := readJSON(got.text)
		if err != nil {
			t.Errorf("seed %d: %v\n%s", seed, err, got.text)
			continue
		}
		if want, _ := decoded(e.entry); !reflect.DeepEqual(after["a"].(map[string]any)["launchdarkly"], want) {
			t.Errorf("seed %d: the entry is not there:\n%s", seed, got.text)
		}
		if !reflect.DeepEqual(e.rest(before), e.rest(after)) {
			t.Errorf("seed %d: something else changed:\n%s\nbecame\n%s", seed, text, got.text)
		}
		again, err := e.apply(got.text)
		if err != nil || string(again.text) != string(got.text) {
			t.Errorf("seed %d: a second time is not the same: %v\n%s", seed, err, again.text)
		}
		e.entry = nil
		back, err := e.apply(got.text)
		if err != nil {
			t.Errorf("seed %d: %v", seed, err)
			continue
		}
		if len(servers) > 0 {
			withTop++
			if squeeze(string(back.text)) != squeeze(text) {
				t.Errorf("seed %d: install and remove is not nothing:\n%s\nbecame\n%s", seed, text, back.text)
			}
		}
	}
	if withTop < 100 || changed < 500 {
		t.Errorf("only %d edits, %d of them beside other servers", changed, withTop)
	}
}

func squeeze(s string) string { return strings.Join(strings.Fields(s), "") }

// contains reports whether s is left of text when some of its bytes are taken out.
func contains(text, s string) bool {
	for i := 0; i < len(text) && s != ""; i++ {
		if text[i] == s[0] {
			s = s[1:]
		}
	}
	return s == ""
}

// Every member of a random object can be taken out, and only that one goes.
func TestRemoveTakesOnlyOne(t *testing.T) {
	t.Parallel()
	done := 0
	for seed := range uint64(800) {
		r := author{rand.New(rand.NewPCG(seed, 11))}
		text := r.space() + r.object(2, nil) + r.space()
		before, err := readJSON([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		for name := range before {
			d := newDocument([]byte(text))
			if err := d.remove(name); err != nil {
				t.Fatal(err)
			}
			after, err := readJSON(d.text)
			if err != nil {
				t.Errorf("seed %d, %s: %v\n%s\nbecame\n%s", seed, name, err, text, d.text)
				continue
			}
			want := map[string]any{}
			for n, v := range before {
				if n != name {
					want[n] = v
				}
			}
			if !reflect.DeepEqual(after, want) {
				t.Errorf("seed %d, %s:\n%s\nbecame\n%s", seed, name, text, d.text)
			}
			done++
		}
	}
	if done < 500 {
		t.Errorf("only %d members", done)
	}
}

func TestDocumentLayout(t *testing.T) {
	t.Parallel()
	entry := object{{"command", "x"}}
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "{\n  \"s\": {\n    \"n\": {\"command\": \"x\"}\n  }\n}\n"},
		{"braces", "{}", "{\n  \"s\": {\n    \"n\": {\"command\": \"x\"}\n  }\n}"},
		{"one line", `{"s":{"a":1}}`, `{"s":{"a":1, "n": {"command": "x"}}}`},
		{"one line, empty", `{"s":{}}`, `{"s":{"n": {"command": "x"}}}`},
		{"tabs", "{\n\t\"s\": {\n\t\t\"a\": 1\n\t}\n}\n", "{\n\t\"s\": {\n\t\t\"a\": 1,\n\t\t\"n\": {\"command\": \"x\"}\n\t}\n}\n"},
		{"CRLF and BOM", "\ufeff{\r\n    \"s\": {}\r\n}\r\n", "\ufeff{\r\n    \"s\": {\r\n        \"n\": {\"command\": \"x\"}\r\n    }\r\n}\r\n"},
		{"comment behind", "{\n  \"s\": {\n    \"a\": 1 // why\n  }\n}", "{\n  \"s\": {\n    \"a\": 1, // why\n    \"n\": {\"command\": \"x\"}\n  }\n}"},
		{"trailing comma", "{\n  \"s\": {\n    \"a\": 1,\n  },\n}", "{\n  \"s\": {\n    \"a\": 1,\n    \"n\": {\"command\": \"x\"},\n  },\n}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := edit{client: &knownClient{top: "s", format: "json", stdio: command("")}, name: "n", entry: entry}
			got, err := e.apply([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if string(got.text) != c.want {
				t.Errorf("got\n%q\nwant\n%q", got.text, c.want)
			}
		})
	}
}

func TestFaultsAreNotEdited(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"s": {"a": 1}`:              "line 1, column 15",
		"{\n  \"s\": {,}\n}":          "line 2, column 9",
		`[]`:                          "something else than a JSON object",
		`{"s": []}`:                   `"s" is not an object`,
		`{"s": {}, "s": {}}`:          `"s" is there twice`,
		`{"s": {"n": 1, "n": 2}}`:     `"s.n" is there twice`,
		`{"s": {}} {"s": {}}`:         "line 1, column 11",
		"# a comment of another kind": "line 1, column 1",
	} {
		e := edit{client: &knownClient{top: "s", format: "json", stdio: command("")}, name: "n", entry: object{{"command", "x"}}}
		_, err := e.apply([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestTablesKeepEverythingElse(t *testing.T) {
	t.Parallel()
	entry := object{{"command", "/bin/ld-mcp"}, {"args", []string{"--read-only"}}, {"env_vars", []string{"LAUNCHDARKLY_ACCESS_TOKEN"}}}
	block := renderTable(entry, []string{"mcp_servers", "launchdarkly"})
	c, err := findClient("codex")
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range []string{
		"",
		"model = \"x\" # why\n",
		"# only a comment",
		"[mcp_servers.other]\r\ncommand = \"o\"\r\n\r\n[[list]]\r\na = 1\r\n",
		"text = \"\"\"\n[mcp_servers.launchdarkly]\ncommand = \"/x/ld-mcp\"\n\"\"\"\n[a.\"b.c\"]\nk = '''\n[x]\n'''\n",
		"[mcp_servers]\nother = { command = \"o\" }\n",
	} {
		e := edit{client: c, name: "launchdarkly", entry: entry}
		got, err := e.apply([]byte(text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		rest, ok := strings.CutSuffix(strings.ReplaceAll(string(got.text), "\r\n", "\n"), block)
		if want := strings.ReplaceAll(text, "\r\n", "\n"); !ok || strings.TrimRight(rest, "\n") != strings.TrimRight(want, "\n") || !strings.HasPrefix(string(got.text), text) {
			t.Errorf("%d: got\n%s", i, got.text)
		}
		if again, err := e.apply(got.text); err != nil || string(again.text) != string(got.text) {
			t.Errorf("%d: a second time gives\n%s, %v", i, again.text, err)
		}
		e.entry = nil
		back, err := e.apply(got.text)
		if err != nil || strings.TrimSuffix(string(back.text), "\n") != strings.TrimSuffix(text, "\n") {
			t.Errorf("%d: removed gives\n%q, %v", i, back.text, err)
		}
	}
	for _, text := range []string{
		"mcp_servers = { other = { command = \"o\" } }\n",
		"[mcp_servers]\nlaunchdarkly = { command = \"/x/ld-mcp\" }\n",
		"mcp_servers.launchdarkly.command = \"/x/ld-mcp\"\n",
	} {
		if got, err := (edit{client: c, name: "launchdarkly", entry: entry}).apply([]byte(text)); err == nil {
			t.Errorf("%q became %q", text, got.text)
		}
	}
	_, err = edit{client: c, name: "launchdarkly", entry: entry}.apply([]byte("a = 1\nb =\n"))
	if err == nil || !strings.Contains(fmt.Sprint(err), "line 2") {
		t.Errorf("a fault is told as %v", err)
	}
}

// An entry's own tables stay or go with it, and a token's file takes the place of a variable.
func TestTablesOfTables(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	file := filepath.Join(m.home, ".codex", "config.toml")
	const sub = "[mcp_servers.launchdarkly.tools.whoami]\napproval = \"never\"\n"
	m.write(file, "[mcp_servers.launchdarkly]\nenv = { LD_API_KEY_FILE = \"/old\", NO_PROXY = \"x\" }\ncommand = '/old/ld-mcp'\n# about tools\n"+sub+"\n[tail]\na = 1\n", 0o600)
	args := []string{"codex", "--command", "/x/ld-mcp", "--token-file", "/t"}
	want := "[mcp_servers.launchdarkly]\nenv = { NO_PROXY = \"x\", LAUNCHDARKLY_ACCESS_TOKEN_FILE = \"/t\" }\ncommand = \"/x/ld-mcp\"\n# about tools\n" + sub + "\n[tail]\na = 1\n"
	for range 2 {
		if got := m.install(args...); got.err != nil || m.read(file) != want {
			t.Errorf("%v\n%s", got.err, m.read(file))
		}
	}
	want = "[mcp_servers.launchdarkly]\nenv = { NO_PROXY = \"x\" }\ncommand = \"/x/ld-mcp\"\nenv_vars = [\"LAUNCHDARKLY_ACCESS_TOKEN\"]\n# about tools\n" + sub + "\n[tail]\na = 1\n"
	if got := m.install(args[:3]...); got.err != nil || m.read(file) != want {
		t.Errorf("%v\n%s", got.err, m.read(file))
	}
	if got := m.install("codex", "--remove"); got.err != nil || m.read(file) != "# about tools\n\n[tail]\na = 1\n" {
		t.Errorf("%v\n%s", got.err, m.read(file))
	}
	inline := "[mcp_servers]\nlaunchdarkly = { command = \"/x/ld-mcp\" }\n"
	m.write(file, inline, 0o600)
	for _, more := range []string{"--read-only", "--remove"} {
		args := []string{"codex", "--command", "/x/ld-mcp", "--", more}
		if more == "--remove" {
			args = []string{"codex", "--remove"}
		}
		if got := m.install(args...); got.code() != 1 || !strings.Contains(got.err.Error(), "by hand") || m.read(file) != inline {
			t.Errorf("%v\n%s", got.err, m.read(file))
		}
	}
}
