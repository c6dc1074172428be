package main

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// Help fits the terminal, says the same at every width, and aligns what it says.
func TestHelpFits(t *testing.T) {
	t.Parallel()
	lines := append([]string{""}, func() (names []string) {
		for _, c := range commands {
			names = append(names, c.name+" ")
		}
		return names
	}()...)
	for _, line := range lines {
		same := ""
		for columns, width := range map[string]int{"": 80, "wide": 80, "-1": 80, "0": 80, "10": 40, "40": 40, "60": 60, "100": 100, "110": 110, "400": 110} {
			got := invoke(t, []string{"COLUMNS=" + columns}, "", strings.Fields(line+"--help")...)
			if got.err != nil {
				t.Fatal(got.err)
			}
			text := strings.Replace(got.stdout, examples, "", 1)
			widest := 0
			for l := range strings.Lines(text) {
				l = strings.TrimSuffix(l, "\n")
				n := utf8.RuneCountInString(l)
				if words := strings.Fields(l); n > width && len(words) > 1 {
					t.Errorf("%s--help on %q columns: %d wide: %s", line, columns, n, l)
				}
				if strings.TrimRight(l, " ") != l {
					t.Errorf("%s--help on %q columns: spaces at the end of %q", line, columns, l)
				}
				widest = max(widest, n)
			}
			if widest < width-15 {
				t.Errorf("%s--help uses %d of %d columns", line, widest, width)
			}
			words := strings.Join(strings.Fields(text), " ")
			if same == "" {
				same = words
			}
			if words != same {
				t.Errorf("%s--help says something else on %q columns", line, columns)
			}
		}
	}
}

func TestRows(t *testing.T) {
	t.Parallel()
	p := page{width: 40}
	p.rows("Title", []row{{"--a", "one two three four five six seven eight"}, {"--as-long", "x"}, {"--longer-than-that", "y z"}})
	want := `
Title
  --a        one two three four five six
             seven eight
  --as-long  x
  --longer-than-that
             y z
`
	if got := p.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWrap(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text  string
		width int
		want  string
	}{
		{"", 10, `[""]`},
		{"a b", 3, `["a b"]`},
		{"a b", 2, `["a" "b"]`},
		{"a  bb\nc", 4, `["a bb" "c"]`},
		{"longer than that", 4, `["longer" "than" "that"]`},
		{"äö üß", 5, `["äö üß"]`},
	} {
		if got := fmt.Sprintf("%q", wrap(c.text, c.width)); got != c.want {
			t.Errorf("%q at %d: %s, want %s", c.text, c.width, got, c.want)
		}
	}
}
