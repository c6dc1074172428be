package openapi

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/ld-mcp/ld-mcp/internal/typo"
)

// wordIndex ranks operations by words.
type wordIndex struct {
	weights []map[string]float64 // of each operation: how much a word says of it
	lengths []float64
	average float64
	in      map[string]int // operations that a word tells of
}

// Found is an operation that some words tell of.
type Found struct {
	*Operation
	Score float64
}

// indexOf counts the words of operations: those of the id and the path say more than others.
func indexOf(ops []*Operation) *wordIndex {
	x := &wordIndex{in: map[string]int{}}
	for _, op := range ops {
		weights := map[string]float64{}
		add := func(text string, weight float64) {
			for _, w := range wordsOf(text) {
				weights[w] = min(weights[w]+weight, 4)
			}
		}
		add(op.ID, 2)
		add(op.Summary, 1.5)
		add(op.Tag, 1)
		for _, seg := range op.segs {
			if _, isName := parameterOf(seg); !isName {
				add(seg, 1.5)
			}
		}
		add(map[string]string{"GET": "get", "POST": "create", "PUT": "update", "PATCH": "update", "DELETE": "delete"}[op.Method], 0.5)
		total := 0.0
		for w, weight := range weights {
			x.in[w]++
			total += weight
		}
		x.weights, x.lengths = append(x.weights, weights), append(x.lengths, total)
		x.average += total
	}
	x.average /= max(float64(len(ops)), 1)
	return x
}

// Search returns the operations that fit words, best first, at most n of them.
func (d *Document) Search(query string, n int) []Found {
	x := d.words()
	scores := make([]float64, len(d.ops))
	asked := wordsOf(query)
	for _, w := range asked[:min(len(asked), 40)] {
		best := make([]float64, len(d.ops))
		for said, share := range x.meant(w) {
			rare := math.Log(1 + (float64(len(d.ops))-float64(x.in[said])+0.5)/(float64(x.in[said])+0.5))
			for i, weights := range x.weights {
				if weight := weights[said]; weight > 0 {
					const k, b = 1.2, 0.5
					score := share * rare * weight * (k + 1) / (weight + k*(1-b+b*x.lengths[i]/x.average))
					best[i] = max(best[i], score)
				}
			}
		}
		for i := range scores {
			scores[i] += best[i]
		}
	}
	var out []Found
	for i, op := range d.ops {
		if scores[i] > 0 {
			if op.Deprecated {
				scores[i] *= 0.5
			}
			out = append(out, Found{op, scores[i]})
		}
	}
	slices.SortStableFunc(out, func(a, b Found) int { return cmp.Compare(b.Score, a.Score) })
	for i := range out { // what fits far less than the best does not fit
		if out[i].Score < 0.2*out[0].Score {
			out = out[:i]
			break
		}
	}
	return out[:min(len(out), n)]
}

// Unsaid lists the longer words of a query that no operation has.
func (d *Document) Unsaid(query string) (words []string) {
	x := d.words()
	for _, said := range strings.Fields(query) {
		said = strings.TrimFunc(said, func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) })
		parts := wordsOf(said)
		if len(words) < 5 && len(said) >= 5 && len(said) <= maxNamed && len(parts) > 0 && !slices.ContainsFunc(parts, func(w string) bool { return len(x.meant(w)) > 0 }) {
			words = append(words, said)
		}
	}
	return words
}

// like offers ids near to one that does not exist.
func (d *Document) like(name string) string {
	if len(name) > maxNamed {
		return ""
	}
	var ids []string
	for _, op := range d.ops {
		ids = append(ids, op.ID)
	}
	if near := typo.Nearest(name, ids); near != "" {
		return near
	}
	ids = nil
	for _, f := range d.Search(name, 3) {
		ids = append(ids, f.ID)
	}
	if len(ids) == 0 {
		return ""
	}
	return " (did you mean " + strings.Join(ids, ", ") + "?)"
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
func (x *wordIndex) meant(w string) map[string]float64 {
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
	if len(out) > 0 || len(w) < 4 || len(w) > maxNamed {
		return out
	}
	nearest := 1 + len(w)/6
	for known := range x.in {
		if d := typo.Distance(w, known); d <= nearest && len(known) > 3 {
			out[known] = 0.5 / float64(d)
		} else if strings.HasPrefix(known, w) || strings.HasPrefix(w, known) && len(known) > 4 {
			out[known] = 0.5
		}
	}
	return out
}

// wordsOf splits text into words without their endings: at what is no letter or
// digit, and before capitals. Words for AI configs are those of both of their names.
func wordsOf(text string) []string {
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
