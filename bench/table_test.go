package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMedian(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		list []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := median(c.list); got != c.want {
			t.Errorf("%v: %v, want %v", c.list, got, c.want)
		}
	}
}

func one(u unit, ours, theirs float64) row {
	return newRow("id", "`x` spent", u, &samples{{ours}, {theirs}})
}

// TestTargets: a target is met up to its number and missed above it.
func TestTargets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		row  row
		goal string
		met  bool
	}{
		{one(milliseconds, 5, 100).atMost(1.0 / 20), "1/20", true},
		{one(milliseconds, 5.1, 100).atMost(1.0 / 20), "1/20", false},
		{one(tokens, 7, 7).atMost(1), "no more", true},
		{one(tokens, 8, 7).atMost(1), "no more", false},
		{one(count, 0, 3).most(0), "0", true},
		{one(count, 1, 3).most(0), "0", false},
		{one(milliseconds, 0.3, 9).most(0.3), "0.3 ms", true},
		{one(milliseconds, 0.31, 9).most(0.3), "0.3 ms", false},
		{one(mebibytes, 6<<20, 36<<20).atMost(1.0 / 6), "1/6", true},
	} {
		if got := c.row.goal(); got != c.goal || c.row.missed() == c.met {
			t.Errorf("%+v: %q, missed: %t", c.row, got, c.row.missed())
		}
		r := report{rows: []row{c.row, one(count, 1, 1)}}
		if got := r.missed(); len(got) == 0 != c.met || len(got) > 1 {
			t.Errorf("%+v: %q", c.row, got)
		}
	}
}

func TestAmounts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		row         row
		ours, ratio string
	}{
		{one(milliseconds, 5, 100), "5.00 ms", "1/20"},
		{one(milliseconds, 12.34, 100), "12.3 ms", "1/8.1"},
		{one(milliseconds, 1234, 100), "1,234 ms", "12×"},
		{one(tokens, 1234567.4, 1), "1,234,567 tokens", "1234567×"},
		{one(mebibytes, 6<<20, 36<<20), "6.0 MiB", "1/6.0"},
		{one(megabytes, 6e6, 3e6), "6.0 MB", "2.0×"},
		{one(count, 0, 3), "0", ""},
		{one(count, 3, 3), "3", "same"},
	} {
		if ours, ratio := c.row.amount(c.row.Ours, 0), c.row.ratio(); ours != c.ours || ratio != c.ratio {
			t.Errorf("%+v: %q, %q", c.row, ours, ratio)
		}
	}
	if got := one(tokens, 1, 1).amount(20, 1500); got != "20 tokens, 1,500 B" {
		t.Error(got)
	}
}

func TestForms(t *testing.T) {
	t.Parallel()
	r := &report{machine: facts{Date: "2026-01-02", CPU: "A chip", Cores: 2, Kernel: "6.1", Go: "1.26", Node: "20"},
		rows: []row{one(milliseconds, 5, 100).atMost(1.0 / 20), one(tokens, 8, 7).atMost(1), one(count, 2, 2)}}
	var b strings.Builder
	if err := r.text(&b, false); err != nil {
		t.Fatal(err)
	}
	want := `           ld-mcp  official 0.6.2  ratio  at most
x spent   5.00 ms        100.0 ms   1/20     1/20
x spent  8 tokens        7 tokens   1.1×  no more  missed
x spent         2               2   same

Measured on 2026-01-02: 2 cores of A chip, Linux 6.1, Go 1.26, Node.js 20.
`
	if b.String() != want {
		t.Errorf("%s\nwant\n%s", b.String(), want)
	}
	if busy := (&report{machine: facts{Cores: 2, Load: 2.1}}).where(); !strings.Contains(busy, "busy") {
		t.Error(busy)
	}
	b.Reset()
	if err := r.text(&b, true); err != nil || strings.Count(b.String(), "\x1b[31m") != 1 || strings.Count(b.String(), "\x1b[32m") != 1 {
		t.Errorf("%q, %v", b.String(), err)
	}
	b.Reset()
	if err := r.json(&b); err != nil {
		t.Fatal(err)
	}
	var back struct {
		Machine facts
		Rows    []row
	}
	if err := json.Unmarshal([]byte(b.String()), &back); err != nil || back.Machine != r.machine || len(back.Rows) != 3 || back.Rows[0].Target.Share != 0.05 {
		t.Errorf("%s, %v", b.String(), err)
	}

	file := filepath.Join(t.TempDir(), "README.md")
	if err := os.WriteFile(file, []byte("# A\n"+begin+"old\n"+end+"\n# B\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeInto(file, r.markdown()); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(file)
	for _, want := range []string{"# A\n" + begin, end + "\n# B\n", "\n| `x` spent | 5.00 ms | 100.0 ms | 1/20 | 1/20 |\n", "| no more (missed) |", "go run ./bench"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "old") {
		t.Error("the old table is still there")
	}
	if err := writeInto(file, "again\n"); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(file, []byte("# A\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeInto(file, "x"); err == nil || !strings.Contains(err.Error(), strings.TrimSpace(begin)) {
		t.Errorf("%v", err)
	}
}

func TestCPUIn(t *testing.T) {
	t.Parallel()
	if got := cpuIn("processor\t: 0\nmodel name\t: A  chip\nmodel name\t: B\n"); got != "A chip" {
		t.Error(got)
	}
	if cpuIn("") == "" {
		t.Error("no CPU at all")
	}
}
