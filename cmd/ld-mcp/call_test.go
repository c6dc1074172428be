package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseArguments(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		list []string
		want map[string]any
	}{
		{nil, map[string]any{}},
		{[]string{"a=x", "b=", "c=x=y", "d=two words"}, map[string]any{"a": "x", "b": "", "c": "x=y", "d": "two words"}},
		{[]string{"a=true", "b=false", "c=null", "d=True"}, map[string]any{"a": true, "b": false, "c": "null", "d": "True"}},
		{[]string{"a=5", "b=1.10", "c=12345678901234567890", "d=1.2.3", "e=0x1"},
			map[string]any{"a": json.Number("5"), "b": json.Number("1.10"), "c": json.Number("12345678901234567890"), "d": "1.2.3", "e": "0x1"}},
		{[]string{`a=["x","y"]`, `b={"k":1}`, `c="5"`, `d=[x`, `e={"k":1} more`},
			map[string]any{"a": []any{"x", "y"}, "b": map[string]any{"k": json.Number("1")}, "c": "5", "d": "[x", "e": `{"k":1} more`}},
		{[]string{` {"a": 1, "b": {"c": [true]}} `}, map[string]any{"a": json.Number("1"), "b": map[string]any{"c": []any{true}}}},
	} {
		got, err := parseArguments(c.list)
		if err != nil {
			t.Errorf("%q: %v", c.list, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%q:\n%s", c.list, diff)
		}
	}
	for _, list := range [][]string{{"x"}, {"=x"}, {"a=1", "a=2"}, {"{"}, {`{"a":1} {"b":2}`}, {`{"a":1}`, "b=2"}} {
		if got, err := parseArguments(list); exitCode(err) != 2 {
			t.Errorf("%q: %v, %v", list, got, err)
		}
	}
}

// On a terminal a person is asked, and only a yes counts.
func TestCallAsksOnATerminal(t *testing.T) {
	t.Parallel()
	for answer, goes := range map[string]bool{"y\n": true, "YES\n": true, "n\n": false, "\n": false, "": false, "production\n": false} {
		var stdout, stderr bytes.Buffer
		a := newApp(func(string) string { return "" }, strings.NewReader(answer), &stdout, &stderr)
		a.isTerminal = func(any) bool { return true }
		cmd, err := a.parse([]string{"call", "--sandbox", "toggle-flag",
			"projectKey=shop", "flagKey=dark-mode", "environmentKey=production", "on=true", "comment=launch"})
		if err != nil {
			t.Fatal(err)
		}
		err = cmd.Run(t.Context(), a)
		if !strings.Contains(stderr.String(), "production") || !strings.HasSuffix(stderr.String(), "Go ahead? [y/N] ") {
			t.Errorf("%q: asked %q", answer, stderr.String())
		}
		if goes != (err == nil) || goes != strings.Contains(stdout.String(), "\"changed\": true") {
			t.Errorf("%q: %v, %s", answer, err, stdout.String())
		}
		if !goes && (err == nil || !strings.Contains(err.Error(), "did not confirm")) {
			t.Errorf("%q: %v", answer, err)
		}
	}
}
