package ldclient

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/ld-mcp/ld-mcp/ldclient/policy"
)

// FuzzPath: a key stays in its segment. What is built names the host, holds no
// query and no fragment, has as many segments as were joined, and decodes to them.
func FuzzPath(f *testing.F) {
	for _, s := range [][3]string{
		{"shop", "production", "dark-mode"}, {"..", "a/../b", "."}, {"a/b", `a\b`, "a%2fb"}, {"a?b=c", "a#b", "//evil.example"},
		{"a:b@c", "...", " "}, {"é", "\x00", "\xff"}, {"a;b", "a,b", "*"}, {"{a", "a}", "${roleAttribute.x}"}, {"flags", "segments", "apply"},
		{strings.Repeat("k", maxKey), strings.Repeat("k", maxKey+1), "user:a/b"}, {"shop", "test", "user:a/b"},
		{"shop", "test", "a/../../x?y#z"}, {"shop", "test", "100%2F"}, {"shop", "test", `a b+c&d=e;f\g`}, {"sh&p", "t+st", "//evil.example/"},
		{"a&b=c", "a+b", "[::1]"}, {"\u202e", "\u2028", "\u00a0"},
	} {
		f.Add(s[0], s[1], s[2])
	}
	c, err := New(Config{Token: StaticToken("api-x"), BaseURL: "https://app.launchdarkly.com", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, project, environment, key string) {
		in := []string{"projects", project, "environments", environment, "contexts", "user", key}
		p := path("projects", project, "environments", environment, "contexts", "user", free(key))
		if fits := CheckKey(project) == nil && CheckKey(environment) == nil && checkFree(key) == nil; fits != (p.err == nil) {
			t.Fatalf("the keys are fit: %t, and the path is refused with %v", fits, p.err)
		}
		at := Target{Project: project, Environment: environment, Kind: "context", Key: "k"}
		if p.err != nil {
			if err := c.allowed(t.Context(), call{method: http.MethodGet, path: p, at: at}); err == nil {
				t.Fatal("a path that cannot be built is allowed")
			}
			return
		}
		query := url.Values{"env": {environment}, "filter": {key}}
		req, err := c.request(t.Context(), call{method: http.MethodGet, path: p, at: at, query: query}, query.Encode(), "api-x")
		if err != nil {
			t.Fatalf("%q: %v", in, err)
		}
		u := req.URL
		if u.Scheme != "https" || u.Host != "app.launchdarkly.com" || u.User != nil || u.Fragment != "" || u.Opaque != "" {
			t.Fatalf("%q became %s", in, u)
		}
		if got, err := url.ParseQuery(u.RawQuery); err != nil || len(got) != 2 || got.Get("env") != environment || got.Get("filter") != key {
			t.Fatalf("%q: the query is %s", in, u.RawQuery)
		}
		var wire bytes.Buffer
		if err := req.Request.Write(&wire); err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(wire.String(), "\r\n")
		words := strings.Split(first, " ")
		if len(words) != 3 {
			t.Fatalf("%q became the request %q", in, first)
		}
		sent, _, _ := strings.Cut(words[1], "?")
		var back []string
		for segment := range strings.SplitSeq(strings.TrimPrefix(sent, "/api/v2/"), "/") {
			text, err := url.PathUnescape(segment)
			if err != nil || strings.Trim(text, ".") == "" {
				t.Fatalf("%q: segment %q, %v", in, segment, err)
			}
			back = append(back, text)
		}
		if !slices.Equal(back, in) {
			t.Fatalf("%q came back as %q", in, back)
		}
		if u.Path != "/api/v2/"+strings.Join(in, "/") {
			t.Fatalf("%q: the path is read as %q", in, u.Path)
		}
		checkRoute(t, p.escaped, project, environment, key)
		checkTarget(t, project, environment, key)
	})
}

// checkRoute: keys do not tell one route from another, unless one reads like a word.
func checkRoute(t *testing.T, escaped string, keys ...string) {
	t.Helper()
	if slices.ContainsFunc(keys, func(k string) bool { return words()[k] }) {
		return
	}
	plain := path("projects", "p", "environments", "e", "contexts", "user", free("k"))
	got, want := string(routeOf(nil, "GET", escaped)), string(routeOf(nil, "GET", plain.escaped))
	if got != want {
		t.Fatalf("%s takes the route %s, want %s", escaped, got, want)
	}
}

// checkTarget: a target's specifier names what the target does, and the scope knows its keys from others.
func checkTarget(t *testing.T, project, environment, key string) {
	t.Helper()
	if CheckKey(key) != nil {
		return
	}
	at := Target{Project: project, Environment: environment, Kind: "flag", Key: key}
	r, err := policy.ParseResource(at.String())
	if err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	if r.Kind() != "flag" || r.Name("proj") != project || r.Name("env") != environment || r.Name("flag") != key {
		t.Fatalf("%#v is read as %s", at, r)
	}
	shop := Scope{Projects: []string{"shop"}, Environments: []string{"test"}}
	if allowed := shop.Check(at, true) == nil; allowed != (project == "shop" && environment == "test") {
		t.Fatalf("%s is in scope: %t", at, allowed)
	}
}
