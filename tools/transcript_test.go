package tools_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ld-mcp/ld-mcp/tools"
)

// TestTranscripts replays testdata/*.txt, each on a fresh account. A line
// "> tool {arguments}" is a call, the lines under it its reply, indented, with
// "! " in front if it is an error. Run with -update to rewrite the replies.
func TestTranscripts(t *testing.T) {
	called := map[string]bool{}
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			old, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			r := start(t, func(s *setup) {
				if filepath.Base(file) == "dynamic.txt" {
					dynamically(s)
				}
			})
			var got strings.Builder
			for line := range strings.Lines(string(old)) {
				if strings.HasPrefix(line, "# ") || line == "\n" {
					got.WriteString(line)
				}
				if call, ok := strings.CutPrefix(line, "> "); ok {
					name, args, _ := strings.Cut(strings.TrimSpace(call), " ")
					called[name] = true
					got.WriteString(line + indented(r.call(name, args)) + "\n")
				}
			}
			if *rewrite {
				if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if d := cmp.Diff(string(old), got.String()); d != "" {
				t.Errorf("%s differs (run go test ./tools -update and read the change):\n%s", file, d)
			}
		})
	}
	for _, set := range tools.Catalog() {
		for _, tool := range set.Tools {
			if !called[tool.Name] {
				t.Errorf("%s has no transcript; add a call of it to testdata/%s.txt", tool.Name, set.Name)
			}
		}
	}
}
