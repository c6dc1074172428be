package gateway

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	first, line1 := NewKey("ci")
	second, line2 := NewKey("agents")
	if first == second || strings.Contains(line1, first) {
		t.Fatalf("%s %s", first, line1)
	}
	keys, err := ParseKeys("# ours\n" + line1 + "\n\n" + line2 + "\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		header []string
		status int
		name   string
	}{
		{[]string{"Bearer " + first}, 0, "ci"},
		{[]string{"bearer  " + second + " "}, 0, "agents"},
		{nil, 401, ""},
		{[]string{""}, 401, ""},
		{[]string{"Bearer"}, 401, ""},
		{[]string{"Bearer "}, 401, ""},
		{[]string{first}, 401, ""},
		{[]string{"Basic " + first}, 401, ""},
		{[]string{"Bearer " + first + "x"}, 401, ""},
		{[]string{"Bearer " + strings.Fields(line1)[1]}, 401, ""}, // the hash is no key
		{[]string{"Bearer " + first, "Bearer " + second}, 401, ""},
		{[]string{"Bearer " + strings.Repeat("x", 9000)}, 401, ""},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/mcp?access_token="+first, nil)
		r.Header["Authorization"] = c.header
		caller, denied := keys.Authenticate(r)
		if c.status == 0 && (denied != nil || caller.Name != c.name || caller.ID == "") {
			t.Errorf("%v: %+v, %+v", c.header, caller, denied)
		}
		if c.status != 0 && (denied == nil || denied.Status != c.status || !strings.HasPrefix(denied.Challenge, "Bearer ") || strings.Contains(denied.Message, first)) {
			t.Errorf("%v: %+v, %+v", c.header, caller, denied)
		}
	}
	for _, text := range []string{"ci", "ci " + first, "ci sha256:abc", "ci md5:abc", "ci sha256:" + strings.Repeat("zz", 32), line1 + " more"} {
		if none, err := ParseKeys("# nothing\n"); err != nil || none.Empty() == nil {
			t.Errorf("no key: %v", err)
		}
		if _, err := ParseKeys(text); err == nil || strings.Contains(err.Error(), first) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Keys are rotated by editing the file; a file that is broken for a moment locks nobody out.
func TestKeyFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys")
	write := func(text string, age time.Duration) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Time{}, time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	old, oldLine := NewKey("old")
	next, nextLine := NewKey("next")
	write(oldLine, time.Hour)
	f, err := NewKeyFile(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	check := func(key string, want bool) {
		t.Helper()
		f.looked = time.Time{}
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/mcp", nil)
		r.Header.Set("Authorization", "Bearer "+key)
		if _, denied := f.Authenticate(r); (denied == nil) != want {
			t.Errorf("%+v, want %t", denied, want)
		}
	}
	check(old, true)
	check(next, false)
	write(oldLine+"\n"+nextLine, 50*time.Minute)
	check(old, true)
	check(next, true)
	write("half a li", 40*time.Minute)
	check(old, true)
	write(nextLine, 30*time.Minute)
	check(old, false)
	check(next, true)
	if _, err := NewKeyFile(path+"x", slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a file that is not there was taken")
	}
}

func TestPassthrough(t *testing.T) {
	t.Parallel()
	p := NewPassthrough([]byte("k"))
	authenticate := func(header string) (Caller, *Denial) {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/mcp?token=api-00000000-query", nil)
		if header != "" {
			r.Header.Set("Authorization", header)
		}
		return p.Authenticate(r)
	}
	ann, denied := authenticate("Bearer api-ann-0123456789")
	if denied != nil || ann.Token != "api-ann-0123456789" || strings.Contains(ann.ID+ann.Tenant, "ann") {
		t.Errorf("%v, %+v", ann.ID, denied)
	}
	again, _ := authenticate("api-ann-0123456789")
	bob, _ := authenticate("Bearer api-bob-0123456789")
	if again.ID != ann.ID || bob.ID == ann.ID || bob.Tenant == ann.Tenant {
		t.Errorf("%v %v %v", ann.ID, again.ID, bob.ID)
	}
	if text := fmt.Sprintf("%v %+v %s", ann, ann, ann.Token); strings.Contains(text, "0123456789") {
		t.Errorf("a token is printed: %s", text)
	}
	for _, header := range []string{"", "Bearer sdk-0123456789ab", "Bearer api-short", "Bearer api-with space-0123", "Bearer api-0123456789\x00", "Basic YXBp", "Bearer " + strings.Repeat("api-x", 200)} {
		if _, denied := authenticate(header); denied == nil || denied.Status != 401 || denied.Challenge == "" {
			t.Errorf("%q: %+v", header, denied)
		}
	}
	_ = p.Refuse(bob)
	if _, denied := authenticate("Bearer api-bob-0123456789"); denied == nil || denied.Status != 401 {
		t.Errorf("refused before: %+v", denied)
	}
	if _, denied := authenticate("Bearer api-ann-0123456789"); denied != nil {
		t.Errorf("somebody else: %+v", denied)
	}
}

// Callers of different tenants are served by different tools, made once each, and see each other's nowhere.
func TestTenantsAreApart(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	made := map[string]int{}
	base, stop := serve(t, func(c *Config) {
		c.Authenticate = byHeader{}
		c.Tenant = func(_ context.Context, who Caller) (Tenant, error) {
			mu.Lock()
			defer mu.Unlock()
			made[who.Tenant]++
			if who.Name == "eve" {
				return nil, unknownToken()
			}
			return sandboxed(t), nil
		}
	})
	defer finish(t, stop)
	call := func(tool, arguments string) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":%q,"arguments":%s}}`, tool, arguments)
	}
	var wait sync.WaitGroup
	for i := range 40 {
		wait.Go(func() {
			who := fmt.Sprintf("caller-%d", i%4)
			key := fmt.Sprintf("flag-of-%d-%d", i%4, i)
			send(t, "POST", base+"/mcp", who, "", call("create-flag", fmt.Sprintf(`{"projectKey":"shop","key":%q,"name":%q}`, key, key)))
			_, _, text := send(t, "POST", base+"/mcp", who, "", call("list-flags", `{"projectKey":"shop","query":"flag-of"}`))
			if !strings.Contains(text, key) {
				t.Errorf("%s does not see %s: %s", who, key, text)
			}
			for other := range 4 {
				if other != i%4 && strings.Contains(text, fmt.Sprintf("flag-of-%d-", other)) {
					t.Errorf("%s sees what is another's: %s", who, text)
				}
			}
		})
	}
	wait.Wait()
	for range 2 {
		if status, _, _ := send(t, "POST", base+"/mcp", "eve", "", hello); status != 401 {
			t.Errorf("eve: %d", status)
		}
	}
	if made["caller-0"] != 1 || made["eve"] != 2 {
		t.Errorf("made %v", made)
	}
}

func signed(t *testing.T, key jose.SigningKey, claims map[string]any) string {
	t.Helper()
	s, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := s.Sign(body)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestOIDC(t *testing.T) {
	t.Parallel()
	i, stranger := newIssuer(t), newIssuer(t)
	o, err := NewOIDC(OIDCConfig{Issuer: i.URL, Audience: "ld-mcp", PublicURL: "https://mcp.example.com/ld", Hold: 1, Groups: map[string]Rights{
		"readers": {}, "shop-writers": {Write: true, Projects: []string{"shop"}}, "mobile-writers": {Write: true, Projects: []string{"mobile"}}, "shop-readers": {Projects: []string{"shop"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	claims := func(changes map[string]any) map[string]any {
		out := map[string]any{"iss": i.URL, "aud": "ld-mcp", "sub": "u1", "email": "ann@example.com", "groups": []string{"readers"},
			"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}
		for k, v := range changes {
			if out[k] = v; v == nil {
				delete(out, k)
			}
		}
		return out
	}
	unsigned := func(header string) string {
		body, err := json.Marshal(claims(nil))
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString(body) + "."
	}
	_, _, public := send(t, "GET", i.URL+"/keys", "", "", "")
	for _, c := range []struct {
		name, token string
		status      int
		says        string
	}{
		{"good", i.token(t, claims(nil)), 0, ""},
		{"several audiences", i.token(t, claims(map[string]any{"aud": []string{"x", "ld-mcp"}})), 0, ""},
		{"one group as text", i.token(t, claims(map[string]any{"groups": "readers"})), 0, ""},
		{"another issuer", i.token(t, claims(map[string]any{"iss": stranger.URL})), 401, "issuer"},
		{"another issuer's own", stranger.token(t, claims(map[string]any{"iss": stranger.URL})), 401, ""},
		{"another audience", i.token(t, claims(map[string]any{"aud": "billing"})), 401, "audience"},
		{"no audience", i.token(t, claims(map[string]any{"aud": nil})), 401, "audience"},
		{"expired", i.token(t, claims(map[string]any{"exp": time.Now().Add(-time.Hour).Unix()})), 401, "expired"},
		{"without expiry", i.token(t, claims(map[string]any{"exp": nil})), 401, "expired"},
		{"not yet", i.token(t, claims(map[string]any{"nbf": time.Now().Add(time.Hour).Unix()})), 401, "not valid yet"},
		{"no subject", i.token(t, claims(map[string]any{"sub": nil})), 401, "subject"},
		{"unknown key", stranger.token(t, claims(nil)), 401, "signature"},
		{"algorithm none", unsigned(`{"alg":"none"}`), 401, ""},
		{"HMAC with the public key", signed(t, jose.SigningKey{Algorithm: jose.HS256, Key: []byte(public)}, claims(nil)), 401, ""},
		{"no token", "hello", 401, "no token"},
		{"no group", i.token(t, claims(map[string]any{"groups": nil})), 403, "groups"},
		{"unknown group", i.token(t, claims(map[string]any{"groups": []string{"admins"}})), 403, "groups"},
		{"groups of another shape", i.token(t, claims(map[string]any{"groups": map[string]any{"readers": true}})), 403, "groups"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/mcp", nil)
		r.Header.Set("Authorization", "Bearer "+c.token)
		caller, denied := o.Authenticate(r)
		switch {
		case c.status == 0 && (denied != nil || caller.Name != "ann@example.com (u1)" || caller.Rights == nil || caller.Rights.Write):
			t.Errorf("%s: %+v, %+v", c.name, caller, denied)
		case c.status != 0 && (denied == nil || denied.Status != c.status || !strings.Contains(denied.Message, c.says)):
			t.Errorf("%s: %+v, %+v", c.name, caller, denied)
		case c.status != 0 && !strings.Contains(denied.Challenge, `resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/ld/mcp"`):
			t.Errorf("%s: %s", c.name, denied.Challenge)
		}
	}
	// A key that the provider has since made is found, one that it dropped is refused.
	before := i.token(t, claims(nil))
	i.rotate(t)
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/mcp", nil)
	r.Header.Set("Authorization", "Bearer "+i.token(t, claims(map[string]any{"groups": []string{"shop-writers", "mobile-writers", "readers"}})))
	caller, denied := o.Authenticate(r)
	if denied != nil || fmt.Sprint(*caller.Rights) != "{true [mobile shop]}" {
		t.Errorf("%+v, %+v", caller.Rights, denied)
	}
	r.Header.Set("Authorization", "Bearer "+before)
	if _, denied := o.Authenticate(r); denied == nil {
		t.Error("a key that is gone was taken")
	}
	if got, _ := o.rights([]string{"readers", "shop-readers"}); got.Write || got.Projects != nil {
		t.Errorf("%+v", got)
	}
	for name, cfg := range map[string]OIDCConfig{
		"clear text":  {Issuer: "http://id.example.com", Audience: "a", PublicURL: "https://x", Groups: map[string]Rights{"g": {}}},
		"no audience": {Issuer: i.URL, PublicURL: "https://x", Groups: map[string]Rights{"g": {}}},
		"no groups":   {Issuer: i.URL, Audience: "a", PublicURL: "https://x"},
		"no address":  {Issuer: i.URL, Audience: "a", Groups: map[string]Rights{"g": {}}},
	} {
		if _, err := NewOIDC(cfg); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestOIDCMetadata(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	o, err := NewOIDC(OIDCConfig{Issuer: i.URL, Audience: "ld-mcp", PublicURL: "https://mcp.example.com/ld", Groups: map[string]Rights{"g": {}}})
	if err != nil {
		t.Fatal(err)
	}
	base, stop := serve(t, func(c *Config) { c.Authenticate, c.PublicURL = o, "https://mcp.example.com/ld" })
	defer finish(t, stop)
	if status, _, text := send(t, "GET", base+"/.well-known/oauth-protected-resource/ld/mcp", "", "", ""); status != 200 ||
		!strings.Contains(text, `"resource":"https://mcp.example.com/ld/mcp"`) || !strings.Contains(text, i.URL) {
		t.Errorf("%d %s", status, text)
	}
	i.Close(t)
	if status, _, text := send(t, "POST", base+"/ld/mcp", "Bearer x.y.z", "", hello); status != http.StatusServiceUnavailable {
		t.Errorf("without the provider: %d %s", status, text)
	}
}
