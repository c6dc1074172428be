package openapi

import (
	"strings"

	"github.com/ld-mcp/ld-mcp/internal/rank"
	"github.com/ld-mcp/ld-mcp/internal/typo"
)

// Found is an operation that some words tell of.
type Found struct {
	*Operation
	Score float64
}

// indexOf counts the words of operations: those of the id and the path say more than others.
func indexOf(ops []*Operation) *rank.Index {
	var texts [][]rank.Field
	for _, op := range ops {
		var names []string
		for _, seg := range op.segs {
			if _, isName := parameterOf(seg); !isName {
				names = append(names, seg)
			}
		}
		does := map[string]string{"GET": "get", "POST": "create", "PUT": "update", "PATCH": "update", "DELETE": "delete"}[op.Method]
		texts = append(texts, []rank.Field{{Text: op.ID, Weight: 2}, {Text: op.Summary, Weight: 1.5}, {Text: op.Tag, Weight: 1},
			{Text: strings.Join(names, " "), Weight: 1.5}, {Text: does, Weight: 0.5}})
	}
	return rank.New(texts)
}

// Search returns the operations that fit words, best first, at most n of them.
func (d *Document) Search(query string, n int) []Found {
	hits := d.words().Search(query, func(i int) float64 {
		if d.ops[i].Deprecated {
			return 0.5
		}
		return 1
	})
	var out []Found
	for _, hit := range hits[:min(len(hits), n)] {
		out = append(out, Found{d.ops[hit.Text], hit.Score})
	}
	return out
}

// Unsaid lists the longer words of a query that no operation has.
func (d *Document) Unsaid(query string) []string { return d.words().Unsaid(query) }

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
