package sandbox

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"time"
)

// extinction is the commit that removed a flag's last reference from a branch.
type extinction struct {
	Revision string `json:"revision"`
	Message  string `json:"message"`
	Time     int64  `json:"time"`
	FlagKey  string `json:"flagKey"`
	ProjKey  string `json:"projKey"`
	Branch   string `json:"-"`
}

func (a *Account) seedExtinctions(ago func(time.Duration) int64) {
	add := func(repo int, flag, revision, message string, daysAgo float64) {
		x := a.repos[repo]
		x.Extinctions = append(x.Extinctions, extinction{revision, message, ago(days(daysAgo)), flag, "shop", x.DefaultBranch})
	}
	add(0, "button-color", "4c8a01d9e7f2b36558a0c1d4e9f7720b3a6d81c5", "Keep the green button", 190)
	add(0, "old-checkout", "e02b7f15c9d84a6630fb12a87d5c4e9901b3f6d2", "Remove the old checkout\n\nCloses SHOP-301.", 143)
	add(0, "holiday-theme", "7d31c5e08f9a4b2266d0e1b7c8a5f4930d2e6b19", "Take the snow down", 48)
	add(1, "old-payment-provider", "b58d20e6f1c74a39820d5e7bc19f3a6407e2d8c1", "Drop the old payment provider", 165)
	add(1, "old-checkout", "c97e41b0d2a85f6631e0b4a9d7c8f25013b6e9a4", "Orders no longer know the old checkout", 139)
}

func (a *Account) listExtinctions(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	from, err := countParam(r, "from")
	to, err2 := countParam(r, "to")
	err = cmp.Or(err, err2)
	if err == nil && (q.Get("from") == "") != (q.Get("to") == "") {
		err = errors.New("from and to must be used together")
	}
	if err != nil {
		badRequest(w, err)
		return
	}
	among := func(want, is string) bool { return want == "" || want == is }
	items := map[string][]extinction{}
	for _, x := range a.repos {
		for _, e := range x.Extinctions {
			if among(q.Get("repoName"), x.Name) && e.Branch == cmp.Or(q.Get("branchName"), x.DefaultBranch) && among(q.Get("projKey"), e.ProjKey) &&
				among(q.Get("flagKey"), e.FlagKey) && (to == 0 || e.Time >= int64(from) && e.Time <= int64(to)) {
				items[e.FlagKey] = append(items[e.FlagKey], e)
			}
		}
	}
	for _, list := range items {
		slices.SortFunc(list, func(x, y extinction) int { return cmp.Compare(y.Time, x.Time) })
	}
	send(w, http.StatusOK, map[string]any{"items": items, "_links": links{"self": requestLink(r, q)}})
}
