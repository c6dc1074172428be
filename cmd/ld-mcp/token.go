package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ld-mcp/ld-mcp/internal/pattern"
	"github.com/ld-mcp/ld-mcp/ldclient"
)

// tokenVariables may hold the access token, the first one that is set wins.
// With _FILE appended each may name a file that holds it.
var tokenVariables = []string{"LAUNCHDARKLY_ACCESS_TOKEN", "LD_ACCESS_TOKEN", "LAUNCHDARKLY_API_KEY", "LD_API_KEY"}

const createToken = "create an access token in LaunchDarkly under Organization settings > Authorization"

// errNoToken is what commands that need an account say without one.
var errNoToken = fmt.Errorf("no LaunchDarkly access token is set. Set %s (%s), or try ld-mcp demo, or add --sandbox to use a made-up account", tokenVariables[0], createToken)

// credential is where the access token comes from.
type credential struct {
	Variable string
	Get      ldclient.TokenSource
	Ignored  []string // variables that are set too
}

// findToken looks for the access token in the environment. It refuses a value that cannot be one.
func findToken(getenv func(string) string, s *secrets) (*credential, error) {
	var found *credential
	for _, base := range tokenVariables {
		for _, name := range []string{base, base + "_FILE"} {
			value := strings.TrimSpace(getenv(name))
			if value == "" {
				continue
			}
			if found != nil {
				found.Ignored = append(found.Ignored, name)
				continue
			}
			var get ldclient.TokenSource
			if name != base {
				if isReference(value) {
					return nil, fmt.Errorf("%s holds a reference that your MCP client did not expand; write the path of the file itself", name)
				}
				get = (&tokenFile{variable: name, path: value, secrets: s}).token
			} else {
				token, err := checkToken(name, value)
				if err != nil {
					return nil, err
				}
				if token == "" {
					continue
				}
				s.add(token)
				get = ldclient.StaticToken(token)
			}
			if _, err := get(); err != nil {
				return nil, err
			}
			found = &credential{Variable: name, Get: get}
		}
	}
	if found == nil {
		return nil, errNoToken
	}
	return found, nil
}

var reference = pattern.Of(`^(\$\{.*\}|\$\(.*\)|\$[A-Za-z_]\w*|\{(env|file|input):.*\}|\{\{.*\}\}|%\w+%)$`)

// placeholderWords begin what stands in examples where a token belongs.
var placeholderWords = strings.Fields("your my replace change insert paste put enter example placeholder dummy todo secret access token key")

// isPlaceholder reports whether a value, in small letters, was copied from an example. It is asked at each start, so
// it is no regular expression.
func isPlaceholder(lower string) bool {
	for _, around := range []string{"<>", "[]"} {
		if len(lower) > 1 && lower[0] == around[0] && lower[len(lower)-1] == around[1] {
			return true
		}
	}
	rest := strings.TrimPrefix(lower, "api-")
	word := rest
	if i := strings.IndexAny(rest, "-_ "); i >= 0 {
		word = rest[:i]
	}
	return slices.Contains(placeholderWords, word) || rest == "changeme" ||
		strings.HasPrefix(rest, "xxx") && strings.Trim(rest, "x-") == "" ||
		strings.HasPrefix(rest, "***") && strings.Trim(rest, "*") == "" ||
		strings.HasPrefix(rest, "...") || strings.HasPrefix(rest, "…")
}

// isClientSideID reports whether a value is what LaunchDarkly names an environment by in browsers.
func isClientSideID(value string) bool {
	return len(value) == 24 && strings.Trim(value, "0123456789abcdef") == ""
}

// isReference reports whether a value is a reference to another variable that was meant to be expanded.
func isReference(value string) bool {
	return value != "" && strings.IndexByte("${%", value[0]) >= 0 && reference().MatchString(value)
}

// checkToken returns the token in value, "" when there is none. It never repeats
// what it refuses, since that may be a secret of another kind.
func checkToken(name, value string) (ldclient.Token, error) {
	value = strings.TrimSpace(value)
	if scheme, rest, _ := strings.Cut(value, " "); strings.EqualFold(scheme, "bearer") {
		value = strings.TrimSpace(rest)
	}
	lower := strings.ToLower(value)
	wrong := ""
	switch {
	case value == "":
		return "", nil
	case isReference(value):
		return "", fmt.Errorf("%s holds a reference that your MCP client did not expand. Write the token itself, or use the reference syntax that your client knows", name)
	case strings.HasPrefix(lower, "sdk-"):
		wrong = "an SDK key, which only evaluates flags"
	case strings.HasPrefix(lower, "mob-"):
		wrong = "a mobile key, which only evaluates flags"
	case strings.HasPrefix(lower, "rel-"):
		wrong = "a Relay Proxy key"
	case isClientSideID(value):
		wrong = "a client-side ID"
	case isPlaceholder(lower):
		wrong = "a placeholder"
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "", fmt.Errorf("%s holds a line break or another control character in the middle of the token. Set it to the token alone", name)
	case strings.ContainsAny(value, " \"'`\\,;"):
		return "", fmt.Errorf("%s holds a space, a quote or another character that is never part of a token. Set it to the token alone", name)
	case strings.ContainsFunc(value, func(r rune) bool { return r > '~' }):
		return "", fmt.Errorf("%s holds a character that is never part of a token. Copy the token again", name)
	}
	if wrong != "" {
		return "", fmt.Errorf("%s holds %s. An API access token is needed: %s; it begins with api-", name, wrong, createToken)
	}
	return ldclient.Token(value), nil
}

// tokenFile reads a token from a file, again whenever the file has changed.
type tokenFile struct {
	variable, path string
	secrets        *secrets

	mu    sync.Mutex
	read  bool
	time  time.Time
	size  int64
	value ldclient.Token
	err   error
}

const maxTokenFile = 16 << 10

func (f *tokenFile) token() (ldclient.Token, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.path)
	if err != nil {
		f.read = false
		return "", f.unreadable(err)
	}
	if !f.read || !info.ModTime().Equal(f.time) || info.Size() != f.size {
		f.read, f.time, f.size = true, info.ModTime(), info.Size()
		f.value, f.err = f.load()
	}
	return f.value, f.err
}

func (f *tokenFile) load() (ldclient.Token, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return "", f.unreadable(err)
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, maxTokenFile))
	if err != nil {
		return "", f.unreadable(err)
	}
	token, err := checkToken("the file named by "+f.variable, string(b))
	if err == nil && token == "" {
		err = fmt.Errorf("the file named by %s is empty. Write the token into it", f.variable)
	}
	f.secrets.add(token)
	return token, err
}

func (f *tokenFile) unreadable(err error) error {
	var at *os.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return fmt.Errorf("the file named by %s cannot be read (%w). Check the path and its permissions", f.variable, err)
}

// secrets are the tokens that must not appear in what this program prints.
type secrets struct {
	mu    sync.RWMutex
	known map[string]string
}

// add makes a token known. A short one is left out, since masking it would garble other words.
func (s *secrets) add(t ldclient.Token) {
	if len(t) < 8 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = map[string]string{}
	}
	s.known[string(t)] = t.String()
}

// mask replaces known tokens, and whatever has the shape of a LaunchDarkly secret.
func (s *secrets) mask(text string) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for token, masked := range s.known {
		text = strings.ReplaceAll(text, token, masked)
	}
	return ldclient.Mask(text)
}

// masked is a writer that lets no secret through. Each Write must hold whole lines, as those of loggers do.
type masked struct {
	w       io.Writer
	secrets *secrets
}

func (m masked) Write(p []byte) (int, error) {
	if _, err := io.WriteString(m.w, m.secrets.mask(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}
