package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A token and keys as LaunchDarkly makes them.
const (
	realToken  = "api-1c1b9e2c-52b0-4a0f-8f5e-3a7d8c9b0a1e"
	otherToken = "api-9d4f3c2b-1a0e-4b5c-8d7e-6f5a4b3c2d1e"
	sdkKey     = "sdk-7e6d5c4b-3a29-4181-9f0e-1d2c3b4a5968"
	mobileKey  = "mob-2b3c4d5e-6f70-4819-a2b3-c4d5e6f70819"
	relayKey   = "rel-5a6b7c8d-9e0f-4a1b-8c2d-3e4f5a6b7c8d"
	clientID   = "5f3c9d2e7a1b4c6d8e0f1a2b"
)

func TestCheckToken(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ value, want string }{
		{realToken, realToken},
		{"  " + realToken + "\n", realToken},
		{"Bearer " + realToken, realToken},
		{"bearer  " + realToken, realToken},
		{"api-sandbox", "api-sandbox"},
		{"MjAyNi1vYXV0aC10b2tlbg.eyJ+/=_", "MjAyNi1vYXV0aC10b2tlbg.eyJ+/=_"},
		{"", ""}, {" \n", ""},
	} {
		got, err := checkToken("VAR", c.value)
		if err != nil || string(got) != c.want {
			t.Errorf("%q: got %q, %v", c.value, string(got), err)
		}
	}
}

func TestRefusedTokens(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ value, says string }{
		{sdkKey, "SDK key"}, {strings.ToUpper(sdkKey), "SDK key"}, {"Bearer " + sdkKey, "SDK key"},
		{mobileKey, "mobile key"}, {relayKey, "Relay Proxy"}, {clientID, "client-side ID"},
		{"${LD_ACCESS_TOKEN}", "did not expand"}, {"${LD_ACCESS_TOKEN:-" + realToken + "}", "did not expand"}, {"$LD_ACCESS_TOKEN", "did not expand"},
		{"{env:LD_ACCESS_TOKEN}", "did not expand"}, {"%LD_ACCESS_TOKEN%", "did not expand"}, {"${input:token}", "did not expand"}, {"${env:TOKEN}", "did not expand"},
		{"<token>", "placeholder"}, {"<" + realToken + ">", "placeholder"}, {"YOUR_TOKEN", "placeholder"}, {"your-api-key-here", "placeholder"},
		{"api-xxxxxxxx-xxxx-xxxx", "placeholder"}, {"api-your-token", "placeholder"}, {"changeme", "placeholder"}, {"token", "placeholder"}, {"api-...", "placeholder"},
		{realToken[:20] + "\n" + realToken[20:], "line break"}, {realToken + "\x00", "control character"}, {realToken[:20] + "\x1b" + realToken[20:], "control character"},
		{`"` + realToken + `"`, "quote"}, {realToken + " " + otherToken, "space"}, {"LD_ACCESS_TOKEN: " + realToken, "space"}, {realToken + "é", "character"},
	} {
		got, err := checkToken("LD_ACCESS_TOKEN", c.value)
		if err == nil {
			t.Errorf("%q was accepted as %q", c.value, string(got))
			continue
		}
		if !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "LD_ACCESS_TOKEN") {
			t.Errorf("%q: %v", c.value, err)
		}
		for _, secret := range []string{realToken, realToken[20:], sdkKey, mobileKey, relayKey, clientID} {
			if strings.Contains(strings.ToLower(err.Error()), secret) {
				t.Errorf("%q is repeated: %v", c.value, err)
			}
		}
	}
}

func TestFindToken(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	write(t, file, otherToken+"\n")
	for _, c := range []struct {
		environment []string
		variable    string
		token       string
		ignored     int
	}{
		{[]string{"LD_API_KEY=" + realToken}, "LD_API_KEY", realToken, 0},
		{[]string{"LD_API_KEY=" + otherToken, "LAUNCHDARKLY_API_KEY=" + realToken}, "LAUNCHDARKLY_API_KEY", realToken, 1},
		{[]string{"LAUNCHDARKLY_ACCESS_TOKEN=", "LD_ACCESS_TOKEN=" + realToken}, "LD_ACCESS_TOKEN", realToken, 0},
		{[]string{"LAUNCHDARKLY_ACCESS_TOKEN=Bearer ", "LD_ACCESS_TOKEN=" + realToken}, "LD_ACCESS_TOKEN", realToken, 0},
		{[]string{"LAUNCHDARKLY_ACCESS_TOKEN_FILE=" + file, "LD_ACCESS_TOKEN=" + realToken}, "LAUNCHDARKLY_ACCESS_TOKEN_FILE", otherToken, 1},
		{[]string{"LD_ACCESS_TOKEN=" + realToken, "LD_ACCESS_TOKEN_FILE=" + file}, "LD_ACCESS_TOKEN", realToken, 1},
	} {
		got, err := findToken(getenvOf(c.environment), new(secrets))
		if err != nil {
			t.Errorf("%v: %v", c.environment, err)
			continue
		}
		token, err := got.Get()
		if err != nil || got.Variable != c.variable || string(token) != c.token || len(got.Ignored) != c.ignored {
			t.Errorf("%v: %s, %q, %v, %v", c.environment, got.Variable, string(token), got.Ignored, err)
		}
	}
	if _, err := findToken(getenvOf(nil), new(secrets)); !errors.Is(err, errNoToken) {
		t.Errorf("no token: %v", err)
	}
	for _, path := range []string{filepath.Join(t.TempDir(), "missing"), t.TempDir(), "${TOKEN_FILE}"} {
		if _, err := findToken(getenvOf([]string{"LD_ACCESS_TOKEN_FILE=" + path}), new(secrets)); err == nil || !strings.Contains(err.Error(), "LD_ACCESS_TOKEN_FILE") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTokenFileIsReadAgain(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	at := time.Now().Add(-time.Hour)
	put := func(text string) {
		write(t, file, text)
		at = at.Add(time.Minute)
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
	put(realToken + "\n")
	s := new(secrets)
	found, err := findToken(getenvOf([]string{"LD_API_KEY_FILE=" + file}), s)
	if err != nil {
		t.Fatal(err)
	}
	expect := func(want string) {
		t.Helper()
		if got, err := found.Get(); err != nil || string(got) != want {
			t.Errorf("got %q, %v", string(got), err)
		}
	}
	refuse := func(says string) {
		t.Helper()
		if got, err := found.Get(); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "LD_API_KEY_FILE") || strings.Contains(err.Error(), sdkKey) {
			t.Errorf("got %q, %v", string(got), err)
		}
	}
	expect(realToken)
	put(otherToken)
	expect(otherToken)
	put(sdkKey)
	refuse("SDK key")
	put("")
	refuse("empty")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	refuse("cannot be read")
	put(realToken)
	expect(realToken)
	if text := s.mask("old " + otherToken + " new " + realToken); strings.Contains(text, otherToken) || strings.Contains(text, realToken) {
		t.Errorf("not masked: %s", text)
	}
}

func TestMaskedWriter(t *testing.T) {
	t.Parallel()
	s := new(secrets)
	s.add("opaque-oauth-token")
	s.add("short")
	var out strings.Builder
	line := "a opaque-oauth-token b " + sdkKey + " c short\n"
	if n, err := (masked{&out, s}).Write([]byte(line)); err != nil || n != len(line) {
		t.Fatalf("%d, %v", n, err)
	}
	if want := "a ****oken b sdk-**** c short\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}
