package gateway

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

const issuerVariable = "LD_MCP_TEST_ISSUER"

// TestMain runs the tests, or, in the process that a test starts, an identity provider.
func TestMain(m *testing.M) {
	if os.Getenv(issuerVariable) == "" {
		os.Exit(m.Run())
	}
	if err := provide(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// provide is an identity provider with real keys, until standard input ends. It
// also signs what it is given, and replaces its keys when told to.
func provide() error {
	var mu sync.Mutex
	var key jose.JSONWebKey
	rotate := func() error {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		mu.Lock()
		defer mu.Unlock()
		key = jose.JSONWebKey{Key: k, KeyID: rand.Text(), Algorithm: "ES256", Use: "sig"}
		return err
	}
	if err := rotate(); err != nil {
		return err
	}
	current := func() jose.JSONWebKey {
		mu.Lock()
		defer mu.Unlock()
		return key
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"issuer":%q,"authorization_endpoint":%[1]q,"token_endpoint":%[1]q,"jwks_uri":"%[1]s/keys","id_token_signing_alg_values_supported":["ES256","none","HS256"]}`, "http://"+r.Host)
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		k := current()
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{k.Public()}})
	})
	mux.HandleFunc("POST /rotate", func(w http.ResponseWriter, _ *http.Request) {
		if err := rotate(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("POST /sign", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: current()}, (&jose.SignerOptions{}).WithType("JWT"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		jws, err := s.Sign(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		text, _ := jws.CompactSerialize()
		io.WriteString(w, text)
	})
	srv := httptest.NewServer(mux)
	defer srv.Close()
	fmt.Println(srv.URL)
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// issuer is an identity provider in a process of its own.
type issuer struct {
	URL   string
	stdin io.Closer
	cmd   *exec.Cmd
	once  sync.Once
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{cmd: exec.Command(self)} //nolint:noctx // it ends with its input
	i.cmd.Env = append(os.Environ(), issuerVariable+"=1")
	i.cmd.Stderr = os.Stderr
	if i.stdin, err = i.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := i.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := i.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { i.Close(t) })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	i.URL = strings.TrimSpace(line)
	return i
}

// Close ends the process.
func (i *issuer) Close(t *testing.T) {
	t.Helper()
	i.once.Do(func() {
		i.stdin.Close()
		if err := i.cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
}

// rotate replaces the issuer's keys by a new one.
func (i *issuer) rotate(t *testing.T) {
	t.Helper()
	if status, _, text := send(t, "POST", i.URL+"/rotate", "", "", ""); status != 200 {
		t.Fatal(text)
	}
}

// token is a token with these claims, signed with the issuer's key.
func (i *issuer) token(t *testing.T, claims map[string]any) string {
	t.Helper()
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	status, _, text := send(t, "POST", i.URL+"/sign", "", "", string(body))
	if status != 200 {
		t.Fatal(text)
	}
	return text
}
