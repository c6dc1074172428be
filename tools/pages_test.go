package tools_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

// TestPagesTogether: what is read in several pages at once is what is read one after the other.
func TestPagesTogether(t *testing.T) {
	account := sandbox.New(sandbox.Options{Now: func() time.Time { return noon }, Flags: 450})
	r := start(t, func(s *setup) { s.client.Transport = account })
	list := func(offset, limit int) (keys []string, next int) {
		var got struct {
			Items      []struct{ Key string }
			NextOffset int
		}
		reply := r.call("list-flags", fmt.Sprintf(`{"projectKey":"shop","environmentKey":"test","offset":%d,"limit":%d}`, offset, limit))
		if err := json.Unmarshal([]byte(reply), &got); err != nil {
			t.Fatal(reply)
		}
		for _, f := range got.Items {
			keys = append(keys, f.Key)
		}
		return keys, got.NextOffset
	}
	for _, offset := range []int{0, 30, 199, 330, 449, 1000} {
		for _, limit := range []int{101, 150, 200} {
			together, next := list(offset, limit)
			var one []string
			last := 0
			for at := offset; at < offset+limit; at += 50 {
				keys, n := list(at, min(50, offset+limit-at))
				one, last = append(one, keys...), n
			}
			if d := cmp.Diff(one, together); d != "" || next != last {
				t.Errorf("%d from %d: next is %d, want %d; (-one after the other +together):\n%s", limit, offset, next, last, d)
			}
		}
	}
}
