package tools

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"testing"

	draw "github.com/ld-mcp/ld-mcp/internal/choice"
	"github.com/ld-mcp/ld-mcp/ldclient"
)

// drawnEntry is an entry of the audit log.
type drawnEntry struct {
	ID     string         `json:"_id"`
	Date   int64          `json:"date"`
	Member map[string]any `json:"member,omitempty"`
}

// drawnLog answers requests for the audit log from entries, newest first.
type drawnLog struct {
	*rand.Rand
	entries []drawnEntry
	asked   int
	added   int

	mixed  bool // pages are not in order
	grows  bool // entries are added meanwhile
	broken int  // 1: what is asked for makes no difference; 2: pages are drawn at random
}

func (l *drawnLog) RoundTrip(r *http.Request) (*http.Response, error) {
	l.asked++
	q := r.URL.Query()
	number := func(name string, otherwise int64) int64 {
		if n, err := strconv.ParseInt(q.Get(name), 10, 64); err == nil {
			return n
		}
		return otherwise
	}
	before, after, limit := number("before", 1<<60), number("after", 0), int(number("limit", 20))
	page := []drawnEntry{}
	for _, e := range l.entries {
		if l.broken == 1 || e.Date < before && e.Date > after {
			page = append(page, e)
		}
	}
	if l.broken == 2 {
		page = page[:0]
		for range l.IntN(25) {
			if len(l.entries) > 0 {
				page = append(page, l.entries[l.IntN(len(l.entries))])
			}
		}
	}
	more := len(page) > limit
	page = page[:min(limit, len(page))]
	if l.mixed {
		l.Shuffle(len(page), func(i, j int) { page[i], page[j] = page[j], page[i] })
	}
	body := map[string]any{"items": page}
	if more {
		body["_links"] = map[string]any{"next": map[string]any{"href": "/api/v2/auditlog"}}
	}
	if l.grows && len(l.entries) > 0 {
		l.added++
		later := drawnEntry{ID: fmt.Sprintf("later-%d", l.added), Date: l.entries[0].Date}
		if l.added > 3 {
			later.Date++
		}
		l.entries = slices.Insert(l.entries, 0, later)
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(text)), Request: r}, nil
}

func drawLog(r *rand.Rand) *drawnLog {
	l := &drawnLog{Rand: r, mixed: r.IntN(3) == 0, grows: r.IntN(4) == 0}
	if r.IntN(4) == 0 {
		l.broken = 1 + r.IntN(2)
	}
	date := int64(1_700_000_000_000)
	together := draw.Of(r, 1, 2, 5, 19, 20, 21, 60) // how many share a millisecond at most
	same := 1
	for n := range r.IntN(130) {
		if step := draw.Of[int64](r, 0, 0, 0, 1, 2, 1000); step > 0 || same >= together {
			date, same = date-max(1, step), 0
		}
		same++
		e := drawnEntry{ID: fmt.Sprintf("e%03d", n), Date: date}
		if r.IntN(3) == 0 {
			e.Member = map[string]any{"email": "ann@example.com"}
		}
		l.entries = append(l.entries, e)
	}
	return l
}

// FuzzAuditWalk: however the audit log is cut into pages, whatever shares a millisecond, in whatever order pages are and
// whatever is added meanwhile, following the cursors shows each entry of the window once, newest first, and comes to an
// end; a server that answers anything at all gets no more requests than a call may make, and no entry is shown twice in a call.
func FuzzAuditWalk(f *testing.F) {
	for i, seed := range draw.Seeds(120) {
		f.Add(seed, []int{1, 5, 20, 100}[i%4], int64(i*40), int64(i*7), i%3 == 0, "1700000000000~e001")
	}
	f.Add([]byte{}, 0, int64(0), int64(0), false, "~")
	f.Fuzz(func(t *testing.T, data []byte, limit int, after, before int64, byMember bool, cursor string) {
		if at, err := parseCursor(cursor); err == nil {
			if again, err := parseCursor(at.String()); err != nil || again.at != at.at || !slices.Equal(again.shown, at.shown) {
				t.Fatalf("the cursor %q became %v, %v", cursor, again, err)
			}
		}
		l := drawLog(draw.New(data))
		ld, err := ldclient.New(ldclient.Config{Token: ldclient.StaticToken("api-x"), Transport: l})
		if err != nil {
			t.Fatal(err)
		}
		limit = 1 + int(uint(limit)%100)
		w := auditWalk{ld: ld, limit: limit}
		if after = int64(uint64(after) % 5000); after > 0 {
			w.query.After = ldclient.Millis(1_700_000_000_000 - after)
		}
		if before = int64(uint64(before) % 5000); before > 0 {
			w.query.Before = ldclient.Millis(1_700_000_000_000 - before)
		}
		if byMember {
			w.member = "ann@"
		}
		want, crowded := w.wanted(l.entries)
		var got []string
		for calls := 0; ; calls++ {
			if calls > 3*len(l.entries)+20 {
				t.Fatalf("the cursors come to no end: %v", got)
			}
			l.asked = 0
			page, err := w.collect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if l.asked > maxAuditPages || len(page.Items) > limit {
				t.Fatalf("%d requests for %d entries of at most %d", l.asked, len(page.Items), limit)
			}
			seen := map[string]bool{}
			for _, row := range page.Items {
				if seen[row.ID] {
					t.Fatalf("%s is shown twice", row.ID)
				}
				seen[row.ID] = true
				got = append(got, row.ID)
			}
			if cut := len(page.Items) / 2; cut > 0 && calls%3 == 1 { // a reply that was too long
				short, had := page.shorten(cut)
				page = short.(auditPage)
				got = got[:len(got)-(had-cut)]
			}
			if page.Next == "" {
				break
			}
			if w.at, err = parseCursor(page.Next); err != nil {
				t.Fatal(err)
			}
		}
		if l.broken > 0 {
			return
		}
		got = slices.DeleteFunc(got, func(id string) bool { return id[0] == 'l' }) // added meanwhile
		if l.mixed {                                                               // of one millisecond any order will do
			slices.Sort(got)
			slices.Sort(want)
		}
		if crowded {
			if got := slices.Compact(slices.Sorted(slices.Values(got))); len(got) == 0 && len(want) > 0 {
				t.Fatalf("nothing is shown of %v", want)
			}
			return
		}
		if !slices.Equal(got, want) {
			t.Fatalf("limit %d, window %d to %d:\ngot  %v\nwant %v", limit, w.query.After, w.query.Before, got, want)
		}
	})
}

// wanted are the ids of the window, and whether so many share a millisecond that LaunchDarkly has no way to all of them.
func (w auditWalk) wanted(entries []drawnEntry) (ids []string, crowded bool) {
	at := map[int64]int{}
	for _, e := range entries {
		if w.query.After > 0 && e.Date <= int64(w.query.After) || e.Date >= cmp.Or(int64(w.query.Before), 1<<60) {
			continue
		}
		if at[e.Date]++; at[e.Date] >= ldclient.MaxAuditLimit-3 { // as many as may be added
			crowded = true
		}
		if w.member == "" || e.Member != nil {
			ids = append(ids, e.ID)
		}
	}
	return ids, crowded
}
