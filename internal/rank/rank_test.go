package rank

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWords(t *testing.T) {
	for text, want := range map[string]string{
		"createAIConfig":                 "create ai config",
		"list-flags":                     "list flag",
		"Policies, entries & status":     "policy entry status",
		"how to list the tags of a flag": "list tag flag",
		"getSDKKeys2":                    "get sdk keys2",
		"":                               "",
	} {
		if got := strings.Join(Words(text), " "); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestSearch(t *testing.T) {
	texts := []string{"toggle-flag Turn a flag on or off", "list-flags Search flags", "create-metric Create a metric", "list-metrics Search metrics"}
	var fields [][]Field
	for _, text := range texts {
		name, doc, _ := strings.Cut(text, " ")
		fields = append(fields, []Field{{name, 3}, {doc, 1}})
	}
	x := New(fields)
	for query, want := range map[string][]int{
		"turn off":      {0},
		"metrics":       {3, 2},
		"create metric": {2, 3},
		"metrc":         {3, 2}, // a letter is missing
		"tog":           {0},    // the beginning of a word
		"nothing here":  nil,
		"":              nil,
	} {
		var got []int
		for _, h := range x.Search(query, nil) {
			got = append(got, h.Text)
		}
		if query == "metrics" || query == "metrc" { // both are about metrics alone
			if len(got) != 2 {
				t.Errorf("%q: got %v", query, got)
			}
			continue
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q (-want +got):\n%s", query, d)
		}
	}
}
