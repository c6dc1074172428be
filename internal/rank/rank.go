// Package rank finds what LaunchDarkly's users ask for by words, best first, among
// texts such as the descriptions of operations and tools.
package rank

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/ld-mcp/ld-mcp/internal/typo"
)

const (
	mostWords  = 40 // of a query
	longest    = 60 // word that is compared with others, in bytes
	mostWeight = 4  // of one word in one text
	fits       = 0.2
)

// Field is a part of a text; what it says counts Weight times.
type Field struct {
	Text   string
	Weight float64
}

// Index holds texts by their words. It is safe for concurrent use.
type Index struct {
	texts   []map[string]float64 // by word, how much it says of the text
	lengths []float64
	mean    float64
	in      map[string]int // by word, in how many texts
}

// New makes an index of texts, each of which is made of fields.
func New(texts [][]Field) *Index {
	x := &Index{in: map[string]int{}}
	for _, fields := range texts {
		weights, length := map[string]float64{}, 0.0
		for _, f := range fields {
			for _, w := range Words(f.Text) {
				weights[w] = min(weights[w]+f.Weight, mostWeight)
			}
		}
		for w, weight := range weights {
			x.in[w]++
			length += weight
		}
		x.texts, x.lengths = append(x.texts, weights), append(x.lengths, length)
		x.mean += length
	}
	x.mean /= max(float64(len(texts)), 1)
	return x
}

// Hit is a text by its place in what New was given.
type Hit struct {
	Text  int
	Score float64
}

// Search returns the texts that words tell of, best first by Okapi BM25, without
// those that fit far less than the best. less, if set, says by what part of its score a text counts.
func (x *Index) Search(words string, less func(text int) float64) []Hit {
	scores := make([]float64, len(x.texts))
	asked := Words(words)
	for _, w := range asked[:min(len(asked), mostWords)] {
		best := make([]float64, len(x.texts))
		for said, share := range x.meant(w) {
			rare := math.Log(1 + (float64(len(x.texts))-float64(x.in[said])+0.5)/(float64(x.in[said])+0.5))
			for i, weights := range x.texts {
				if weight := weights[said]; weight > 0 {
					const k, b = 1.2, 0.5
					best[i] = max(best[i], share*rare*weight*(k+1)/(weight+k*(1-b+b*x.lengths[i]/x.mean)))
				}
			}
		}
		for i := range scores {
			scores[i] += best[i]
		}
	}
	var hits []Hit
	for i, score := range scores {
		if less != nil {
			score *= less(i)
		}
		if score > 0 {
			hits = append(hits, Hit{i, score})
		}
	}
	slices.SortStableFunc(hits, func(a, b Hit) int { return cmp.Compare(b.Score, a.Score) })
	for i, hit := range hits {
		if hit.Score < fits*hits[0].Score {
			return hits[:i]
		}
	}
	return hits
}

// Unsaid lists the first five longer words of a query that tell of no text.
func (x *Index) Unsaid(query string) (words []string) {
	for _, said := range strings.Fields(query) {
		said = strings.TrimFunc(said, func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) })
		parts := Words(said)
		if len(words) < 5 && len(said) >= 5 && len(said) <= longest && len(parts) > 0 && !slices.ContainsFunc(parts, func(w string) bool { return len(x.meant(w)) > 0 }) {
			words = append(words, said)
		}
	}
	return words
}

// same are words for one thing, the first of them LaunchDarkly's in most of its ids and paths.
var same = [][]string{
	{"get", "read", "show", "fetch", "view", "find", "list", "retrieve", "lookup", "see"},
	{"create", "post", "add", "new", "make", "generate"},
	{"update", "patch", "put", "change", "edit", "modify", "set", "rename", "configure"},
	{"delete", "remove", "drop", "destroy", "erase"},
	{"agentcontrol", "ai", "llm", "agent", "genai"},
	{"member", "user", "person", "people", "colleague", "teammate", "invite"},
	{"role", "permission", "policy", "rbac"},
	{"token", "apikey", "credential", "pat"},
	{"segment", "audience", "cohort"},
	{"flag", "toggle", "feature", "switch"},
	{"environment", "env"},
	{"project", "proj"},
	{"webhook", "hook", "callback", "notification"},
	{"experiment", "abtest", "test"},
	{"auditlog", "audit", "history", "log"},
	{"destination", "export", "warehouse"},
	{"usage", "consumption", "billing", "quota"},
	{"mau", "monthly", "active"},
	{"relay", "proxy"},
	{"context", "visitor"},
	{"announcement", "banner", "notice"},
	{"reset", "rotate", "renew", "regenerate", "roll"},
	{"sdk", "client", "library"},
	{"integration", "connector", "plugin"},
	{"approval", "review", "approve"},
	{"ip", "address", "allowlist"},
	{"code", "reference", "refs", "repository", "repo"},
}

// meant are the words that one may stand for, and how well: itself, words for the same thing, and where none is known, those written much like it.
func (x *Index) meant(w string) map[string]float64 {
	out := map[string]float64{}
	if x.in[w] > 0 {
		out[w] = 1
	}
	for _, group := range same {
		if slices.Contains(group, w) {
			for _, other := range group {
				if other = stem(other); x.in[other] > 0 && out[other] == 0 {
					out[other] = 0.6
				}
			}
		}
	}
	if len(out) > 0 || len(w) < 3 || len(w) > longest {
		return out
	}
	nearest := 1 + len(w)/6
	for known := range x.in {
		if d := typo.Distance(w, known); d <= nearest && len(w) > 3 && len(known) > 3 {
			out[known] = 0.5 / float64(d)
		} else if strings.HasPrefix(known, w) || strings.HasPrefix(w, known) && len(known) > 4 {
			out[known] = 0.5
		}
	}
	return out
}

// Words are the words of a text in lower case and without a plural's ending. It is
// split at what is no letter or digit, and before capitals.
func Words(text string) []string {
	var out []string
	var word []rune
	end := func() {
		if len(word) > 0 {
			if w := stem(strings.ToLower(string(word))); !slices.Contains(idle, w) {
				out = append(out, w)
			}
		}
		word = nil
	}
	runes := []rune(text)
	for i, c := range runes {
		switch {
		case !unicode.IsLetter(c) && !unicode.IsDigit(c):
			end()
			continue
		case unicode.IsUpper(c) && i > 0 && (!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])):
			end()
		}
		word = append(word, c)
	}
	end()
	return out
}

var idle = []string{"a", "an", "the", "of", "for", "to", "in", "on", "by", "with", "and", "or", "all", "its", "my", "is", "are", "me", "i", "how", "do", "can", "what", "which"}

// stem takes the ending of a plural off.
func stem(w string) string {
	switch {
	case len(w) > 4 && strings.HasSuffix(w, "ies"):
		return w[:len(w)-3] + "y"
	case len(w) > 3 && strings.HasSuffix(w, "s") && !strings.HasSuffix(w, "ss") && !strings.HasSuffix(w, "us"):
		return w[:len(w)-1]
	}
	return w
}
