package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"
)

// unit is what a row's numbers are in.
type unit string

const (
	milliseconds unit = "ms"
	mebibytes    unit = "MiB" // measured in bytes
	megabytes    unit = "MB"  // measured in bytes
	tokens       unit = "tokens"
	count        unit = ""
)

// row is one thing measured of both.
type row struct {
	ID          string  `json:"id"`
	Name        string  `json:"name"`
	Unit        unit    `json:"unit,omitempty"`
	Ours        float64 `json:"ours"`
	Theirs      float64 `json:"theirs"`
	OursBytes   float64 `json:"oursBytes,omitempty"`
	TheirsBytes float64 `json:"theirsBytes,omitempty"`
	Target      *target `json:"target,omitempty"`
}

// target is what ours may be at most.
type target struct {
	Share float64  `json:"share,omitempty"` // of theirs
	Most  *float64 `json:"most,omitempty"`
	Met   bool     `json:"met"`
}

func newRow(id, name string, u unit, s *samples) row {
	r := row{ID: id, Name: name, Unit: u}
	r.Ours, r.Theirs = s.medians()
	if scale := map[unit]float64{mebibytes: 1 << 20, megabytes: 1e6}[u]; scale > 0 {
		r.Ours, r.Theirs = r.Ours/scale, r.Theirs/scale
	}
	return r
}

// atMost sets a share of theirs as the target.
func (r row) atMost(share float64) row {
	r.Target = &target{Share: share, Met: r.Ours <= share*r.Theirs}
	return r
}

// most sets a number as the target.
func (r row) most(n float64) row {
	r.Target = &target{Most: &n, Met: r.Ours <= n}
	return r
}

func (r row) amount(n, bytes float64) string {
	var out string
	switch {
	case r.Unit == count || r.Unit == tokens:
		out = thousands(n)
	case n < 10 && r.Unit == milliseconds:
		out = fmt.Sprintf("%.2f", n)
	case n < 1000:
		out = fmt.Sprintf("%.1f", n)
	default:
		out = thousands(n)
	}
	if r.Unit != count {
		out += " " + string(r.Unit)
	}
	if bytes > 0 {
		out += ", " + thousands(bytes) + " B"
	}
	return out
}

// thousands writes a whole number with commas.
func thousands(n float64) string {
	digits := fmt.Sprint(int64(math.Round(n)))
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// ratio is ours in proportion to theirs.
func (r row) ratio() string {
	switch {
	case r.Ours == r.Theirs:
		return "same"
	case r.Ours <= 0 || r.Theirs <= 0:
		return ""
	case r.Ours < r.Theirs:
		return "1/" + brief(r.Theirs/r.Ours)
	}
	return brief(r.Ours/r.Theirs) + "×"
}

func brief(n float64) string {
	if n < 9.95 {
		return fmt.Sprintf("%.1f", n)
	}
	return fmt.Sprintf("%.0f", n)
}

func (r row) goal() string {
	switch t := r.Target; {
	case t == nil:
		return ""
	case t.Most != nil && r.Unit == milliseconds:
		return fmt.Sprintf("%g ms", *t.Most)
	case t.Most != nil:
		return strings.TrimSpace(fmt.Sprintf("%g %s", *t.Most, r.Unit))
	case t.Share == 1:
		return "no more"
	default:
		return "1/" + fmt.Sprint(math.Round(1/t.Share))
	}
}

func (r row) missed() bool { return r.Target != nil && !r.Target.Met }

// report is everything that was measured.
type report struct {
	machine facts
	quick   bool
	rows    []row
}

// missed says which targets were not reached.
func (r *report) missed() []string {
	var out []string
	for _, row := range r.rows {
		if row.missed() {
			out = append(out, fmt.Sprintf("%s is %s where at most %s is wanted (theirs is %s)",
				plain(row.Name), row.amount(row.Ours, 0)+of(row.ratio()), row.goal(), row.amount(row.Theirs, 0)))
		}
	}
	return out
}

func of(ratio string) string {
	if ratio == "" {
		return ""
	}
	return " (" + ratio + ")"
}

// plain is a name without Markdown.
func plain(name string) string { return strings.ReplaceAll(name, "`", "") }

func (r *report) json(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(struct {
		Machine facts `json:"machine"`
		Quick   bool  `json:"quick,omitempty"`
		Rows    []row `json:"rows"`
	}{r.machine, r.quick, r.rows})
}

var headings = []string{"", "ld-mcp", "official " + peerVersion, "ratio", "at most"}

func (r *report) cells() [][]string {
	var out [][]string
	for _, row := range r.rows {
		out = append(out, []string{row.Name, row.amount(row.Ours, row.OursBytes), row.amount(row.Theirs, row.TheirsBytes), row.ratio(), row.goal()})
	}
	return out
}

// text prints the table for people.
func (r *report) text(w io.Writer, colour bool) error {
	cells := append([][]string{headings}, r.cells()...)
	widths := make([]int, len(headings))
	for _, line := range cells {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(plain(cell)))
		}
	}
	var b strings.Builder
	for n, line := range cells {
		var out string
		for i, cell := range line {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(plain(cell)))
			if i == 0 {
				out += plain(cell) + pad
			} else {
				out += "  " + pad + plain(cell)
			}
		}
		paint := ""
		switch {
		case n == 0:
			paint = "1"
		case r.rows[n-1].missed():
			out, paint = out+"  missed", "31"
		case r.rows[n-1].Target != nil:
			paint = "32"
		}
		out = strings.TrimRight(out, " ")
		if colour && paint != "" {
			out = "\x1b[" + paint + "m" + out + "\x1b[0m"
		}
		b.WriteString(out + "\n")
	}
	fmt.Fprintf(&b, "\n%s\n", r.where())
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *report) where() string {
	m := r.machine
	out := fmt.Sprintf("Measured on %s: %d cores of %s, Linux %s, Go %s, Node.js %s.", m.Date, m.Cores, m.CPU, m.Kernel, m.Go, m.Node)
	if m.Load > float64(m.Cores) {
		out += fmt.Sprintf(" The machine was busy with other things (load %.0f): times are longer than they would be, and not to be relied on.", m.Load)
	}
	if r.quick {
		out += " A short run: expect the times to vary."
	}
	return out
}
