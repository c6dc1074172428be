package sandbox

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type contextListing struct {
	Items             []contextRecord
	TotalCount        *int
	ContinuationToken string
	EnvironmentID     string          `json:"_environmentId"`
	Links             map[string]link `json:"_links"`
}

func (l contextListing) keys() []string {
	var out []string
	for _, c := range l.Items {
		out = append(out, c.Context["kind"].(string)+":"+c.Context["key"].(string))
	}
	return out
}

const contextsPath = "/projects/shop/environments/production/contexts/search"

func TestContextSearch(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	tests := []struct {
		filter string
		want   []string // in the order of their keys
	}{
		{"kindKey equals user:user-1003", []string{"user:user-1003"}},
		{`kindKeys anyOf ["device:device-1","organization:acme"]`, []string{"device:device-1", "organization:acme"}},
		{"kind equals organization,key startsWith ac", []string{"organization:acme"}},
		{"key equals acme|key equals hooli", []string{"organization:acme", "organization:hooli"}},
		{`kinds anyOf ["organization"],(key equals acme|key equals user-1001)`, []string{"organization:acme"}},
		{"user.email equals elif@shop.example.com", []string{"user:user-1004"}},
		{"*.name equals Globex", []string{"organization:globex"}},
		{`*.name equals "Key with a slash"`, []string{"user:a/b c:d"}},
		{"user./address/city equals Austin,user.plan equals plus", []string{"user:user-1004", "user:user-1010", "user:user-1016"}},
		{"user.groups equals cohort-d,user.country equals CH", []string{"user:user-1003", "user:user-1015"}},
		{"*.managed exists true,device.managed equals true", []string{"device:device-0", "device:device-4", "device:device-8"}},
		{"q equals tyrell", []string{"organization:tyrell"}},
		{"applicationId equals support-desk", []string{"user:user-1002"}},
		{`"*.name" equals "Key with a slash",key notEquals "a\"|b"`, []string{"user:a/b c:d"}},
		{"organization.name notEquals Acme,kind equals organization,key startsWith a", nil},
	}
	for _, test := range tests {
		got := into[contextListing](t, checked(t, a, "POST", contextsPath, map[string]any{"filter": test.filter, "limit": 50}), 200).keys()
		slices.Sort(got)
		if strings.Join(got, " ") != strings.Join(test.want, " ") {
			t.Errorf("%s: %v, want %v", test.filter, got, test.want)
		}
		inQuery := into[contextListing](t, checked(t, a, "POST", contextsPath+"?limit=50&filter="+url.QueryEscape(test.filter), map[string]any{}), 200).keys()
		slices.Sort(inQuery)
		if diff := cmp.Diff(got, inQuery); diff != "" {
			t.Errorf("%s: the query finds others than the body: %s", test.filter, diff)
		}
	}
	for _, bad := range []map[string]any{{"filter": "nope equals x"}, {"filter": "key"}, {"filter": "key like x"}, {"limit": 51}, {"sort": "name"}, {"continuationToken": "!"}} {
		if got := ask(t, a, "POST", contextsPath, bad); got.status != 400 {
			t.Errorf("%v: status %d", bad, got.status)
		}
	}
	if got := ask(t, a, "POST", contextsPath+"?limit=5", map[string]any{"filter": "key equals x"}); got.status != 400 {
		t.Errorf("parameters in the query and in the body: status %d", got.status)
	}
}

func TestContextPages(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	all := a.seenIn(a.findProject("shop"), a.findProject("shop").env("production"))
	seen := 0
	path, body := contextsPath, map[string]any{"limit": 9, "sort": "ts"}
	last := ""
	for path != "" {
		got := into[contextListing](t, checked(t, a, "POST", path, body), 200)
		if *got.TotalCount != len(all) || got.EnvironmentID == "" {
			t.Fatalf("totalCount %d, environment %q", *got.TotalCount, got.EnvironmentID)
		}
		for _, c := range got.Items {
			if c.LastSeen < last {
				t.Errorf("%s comes after %s", c.LastSeen, last)
			}
			last = c.LastSeen
			seen++
		}
		if (got.ContinuationToken == "") != (got.Links["next"].Href == "") {
			t.Errorf("token %q, next %q", got.ContinuationToken, got.Links["next"].Href)
		}
		path, body = strings.TrimPrefix(got.Links["next"].Href, "/api/v2"), map[string]any{}
	}
	if seen != len(all) || seen < 35 {
		t.Errorf("%d of %d contexts", seen, len(all))
	}
	if got := into[contextListing](t, checked(t, a, "POST", contextsPath+"?includeTotalCount=false", map[string]any{}), 200); got.TotalCount != nil {
		t.Error("totalCount although it was declined")
	}
	two := into[contextListing](t, checked(t, a, "GET", "/projects/shop/environments/production/contexts/user/user-1002", nil), 200)
	if diff := cmp.Diff([]string{"user:user-1002", "user:user-1002"}, two.keys()); diff != "" {
		t.Error(diff)
	}
}

func TestContextAttributes(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	const path = "/projects/shop/environments/production/context-attributes"
	type counts struct {
		Items []struct {
			Kind          string
			Names, Values []weighted
		}
	}
	names := into[counts](t, checked(t, a, "GET", path+"?filter="+url.QueryEscape("kind equals device,name startsWith m"), nil), 200)
	if len(names.Items) != 1 || !cmp.Equal(names.Items[0].Names, []weighted{{Name: "managed", Weight: 9}, {Name: "model", Weight: 9}}) {
		t.Errorf("names %+v", names)
	}
	values := into[counts](t, checked(t, a, "GET", path+"/os", nil), 200)
	if len(values.Items) != 1 || !cmp.Equal(values.Items[0].Values, []weighted{{Name: "Android", Weight: 3}, {Name: "Windows", Weight: 3}, {Name: "iOS", Weight: 3}}) {
		t.Errorf("values %+v", values)
	}
	pointer := into[counts](t, checked(t, a, "GET", path+"/%2Faddress%2Fcity?limit=2&filter="+url.QueryEscape("value startsWith P"), nil), 200)
	if len(pointer.Items) != 1 || pointer.Items[0].Values[0].Name != "Porto" {
		t.Errorf("values of /address/city %+v", pointer)
	}
	phone := into[counts](t, checked(t, a, "GET", path+"?filter="+url.QueryEscape("name startsWith ph"), nil), 200)
	if len(phone.Items) != 1 || !cmp.Equal(phone.Items[0].Names, []weighted{{Name: "phone", Weight: 1, Redacted: true}}) {
		t.Errorf("redacted names %+v", phone)
	}
	if none := into[counts](t, checked(t, a, "GET", path+"/phone", nil), 200); len(none.Items) != 0 {
		t.Errorf("values of a redacted attribute %+v", none)
	}
	for _, bad := range []string{"?limit=101", "?filter=" + url.QueryEscape("name equals x")} {
		into[failure](t, ask(t, a, "GET", path+bad, nil), 400)
	}
	kinds := into[listing](t, checked(t, a, "GET", "/projects/shop/context-kinds", nil), 200)
	if diff := cmp.Diff([]string{"device", "organization", "user"}, keysOf(kinds.Items)); diff != "" {
		t.Error(diff)
	}
}

func TestCodeReferences(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	type list struct{ Items []repositoryRep }
	got := into[list](t, checked(t, a, "GET", "/code-refs/repositories?withReferencesForDefaultBranch=1&projKey=shop&flagKey=new-checkout", nil), 200)
	files := map[string]int{}
	for _, x := range got.Items {
		for _, r := range x.Branches[0].References {
			for _, h := range r.Hunks {
				if h.FlagKey != "new-checkout" {
					t.Errorf("a reference to %s", h.FlagKey)
				}
				files[x.Name+" "+r.Path]++
			}
		}
	}
	want := map[string]int{"shop-web src/checkout/Checkout.tsx": 2, "shop-web src/checkout/routes.ts": 1, "shop/backend internal/orders/create.go": 1}
	if diff := cmp.Diff(want, files); diff != "" {
		t.Error(diff)
	}
	if got := into[list](t, checked(t, a, "GET", "/code-refs/repositories", nil), 200); got.Items[0].Branches != nil {
		t.Error("branches that nobody asked for")
	}
	type stats struct{ Flags map[string][]statisticRep }
	s := into[stats](t, checked(t, a, "GET", "/code-refs/statistics/shop?flagKey=new-checkout", nil), 200)
	if list := s.Flags["new-checkout"]; len(s.Flags) != 1 || len(list) != 2 || list[0].FileCount != 2 || list[0].HunkCount != 3 {
		t.Errorf("statistics %+v", s)
	}
	into[failure](t, checked(t, a, "GET", "/code-refs/statistics/shop?flagKey=nope", nil), 404)
	into[failure](t, checked(t, a, "GET", "/code-refs/repositories/nope", nil), 404)
}
