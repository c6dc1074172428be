// Package written compares the changes that clients made, each under a comment
// of its own, with what LaunchDarkly's audit log holds of them.
package written

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Ledger holds changes by their comments. It is not safe for concurrent use.
type Ledger struct {
	Tried map[string]bool
	Done  map[string]bool // those whose reply came
}

// NewLedger returns one that holds nothing.
func NewLedger() Ledger { return Ledger{map[string]bool{}, map[string]bool{}} }

// Judge says which changes were made twice, or acknowledged and not made, and
// counts those that were made and not acknowledged. log counts entries by their comments.
func (l Ledger) Judge(log map[string]int) (unknown int, wrong []error) {
	for _, change := range slices.Sorted(maps.Keys(l.Tried)) {
		switch n := log[change]; {
		case n > 1:
			wrong = append(wrong, fmt.Errorf("%s was written %d times", change, n))
		case n == 0 && l.Done[change]:
			wrong = append(wrong, fmt.Errorf("%s was acknowledged and is not in the audit log", change))
		case n == 1 && !l.Done[change]:
			unknown++
		}
	}
	return unknown, wrong
}

// Comments counts the audit log's entries by the comments that clients gave. get
// answers a path below /api/v2.
func Comments(get func(path string) ([]byte, error)) (map[string]int, error) {
	out, before := map[string]int{}, ""
	for {
		text, err := get("auditlog?limit=20" + before)
		if err != nil {
			return nil, err
		}
		var page struct {
			Items []struct {
				Date    int64
				Comment string
			}
		}
		if err := json.Unmarshal(text, &page); err != nil {
			return nil, err
		}
		if len(page.Items) == 0 {
			return out, nil
		}
		for _, e := range page.Items {
			comment, _, _ := strings.Cut(e.Comment, " [via ") // what ld-mcp adds
			if about, own, ok := strings.Cut(comment, ". "); ok && strings.HasPrefix(about, "Undo of ") {
				comment = own
			}
			out[comment]++
			before = "&before=" + strconv.FormatInt(e.Date, 10)
		}
	}
}
