// Package rank finds texts by words, best first, without anything but the texts.
package rank

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/ld-mcp/ld-mcp/internal/typo"
)

// Field is a part of a text; what it says counts Weight times.
type Field struct {
	Text   string
	Weight float64
}

// Index holds texts by their words. It is safe for concurrent use.
type Index struct {
	docs   []map[string]float64 // by word, how much it counts
	length []float64
	mean   float64
	in     map[string]int // by word, in how many texts
}

// New makes an index of texts, each of which is made of fields.
func New(texts [][]Field) *Index {
	x := &Index{in: map[string]int{}}
	for _, fields := range texts {
		doc, length := map[string]float64{}, 0.0
		for _, f := range fields {
			for _, w := range Words(f.Text) {
				doc[w] += f.Weight
				length += f.Weight
			}
		}
		for w := range doc {
			x.in[w]++
		}
		x.docs, x.length = append(x.docs, doc), append(x.length, length)
		x.mean += length
	}
	x.mean /= max(1, float64(len(texts)))
	return x
}

// Hit is a text by its place in what New was given.
type Hit struct {
	Text  int
	Score float64
}

// Search returns the texts that hold some of the words, best first: Okapi BM25,
// where the beginning of a word, or a word with a typing error, counts for part of it.
func (x *Index) Search(words string) []Hit {
	var hits []Hit
	asked := Words(words)
	slices.Sort(asked)
	near := x.near(slices.Compact(asked))
	for i, doc := range x.docs {
		score := 0.0
		for _, w := range near {
			best := 0.0
			for have, likeness := range w {
				n := doc[have]
				if n == 0 {
					continue
				}
				const k, b = 1.2, 0.75
				rare := math.Log(1 + (float64(len(x.docs))-float64(x.in[have])+0.5)/(float64(x.in[have])+0.5))
				best = max(best, likeness*rare*n*(k+1)/(n+k*(1-b+b*x.length[i]/x.mean)))
			}
			score += best
		}
		if score > 0 {
			hits = append(hits, Hit{i, score})
		}
	}
	slices.SortStableFunc(hits, func(a, b Hit) int { return cmp.Compare(b.Score, a.Score) })
	return hits
}

// near gives for each word the words of the index that may be meant, and how likely.
func (x *Index) near(words []string) []map[string]float64 {
	var out []map[string]float64
	for _, w := range words {
		means := map[string]float64{}
		for have := range x.in {
			switch {
			case have == w:
				means[have] = 1
			case len(w) >= 3 && strings.HasPrefix(have, w):
				means[have] = 0.5
			case len(w) >= 5 && typo.Distance(have, w) == 1:
				means[have] = 0.4
			}
		}
		out = append(out, means)
	}
	return out
}

// Words are the words of a text in lower case and without a plural's ending;
// names such as createAIConfig are taken apart.
func Words(text string) []string {
	var out []string
	var word []rune
	end := func() {
		if len(word) > 0 {
			out = append(out, singular(strings.ToLower(string(word))))
		}
		word = word[:0]
	}
	runes := []rune(text)
	for i, r := range runes {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			end()
			continue
		}
		if i > 0 && unicode.IsUpper(r) && (unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsUpper(runes[i-1]) && unicode.IsLower(runes[i+1])) {
			end()
		}
		word = append(word, r)
	}
	end()
	return out
}

func singular(w string) string {
	switch {
	case len(w) > 4 && strings.HasSuffix(w, "ies"):
		return strings.TrimSuffix(w, "ies") + "y"
	case len(w) > 3 && strings.HasSuffix(w, "s") && !strings.HasSuffix(w, "ss") && !strings.HasSuffix(w, "us") && !strings.HasSuffix(w, "is"):
		return strings.TrimSuffix(w, "s")
	}
	return w
}
