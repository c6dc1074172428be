// Package typo tells how near two words are to each other.
package typo

import (
	"slices"
	"strings"
)

// Distance is how many bytes have to be put in, taken out or replaced to get from a to b.
func Distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		above := row[0]
		row[0] = i + 1
		for j := range len(b) {
			here := above
			if a[i] != b[j] {
				here = 1 + min(above, row[j], row[j+1])
			}
			above, row[j+1] = row[j+1], here
		}
	}
	return row[len(b)]
}

// Nearest asks whether one of up to three words was meant that are near to the one given, "" where none is.
func Nearest(given string, have []string) string {
	type candidate struct {
		word     string
		distance int
	}
	var near []candidate
	for _, word := range have {
		d := Distance(strings.ToLower(given), strings.ToLower(word))
		if strings.Contains(strings.ToLower(word), strings.ToLower(given)) {
			d = min(d, 1)
		}
		if d <= max(2, len(given)/3) {
			near = append(near, candidate{word, d})
		}
	}
	slices.SortStableFunc(near, func(a, b candidate) int { return a.distance - b.distance })
	if len(near) == 0 {
		return ""
	}
	var words []string
	for _, c := range near[:min(3, len(near))] {
		words = append(words, c.word)
	}
	return " (did you mean " + strings.Join(words, ", ") + "?)"
}
