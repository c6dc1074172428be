package gateway

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certify writes a self-signed certificate of this serial number.
func certify(t *testing.T, certFile, keyFile string, serial int64) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, time.Time{}, time.Now().Add(time.Duration(serial)*time.Minute)); err != nil { // file systems may count whole seconds
			t.Fatal(err)
		}
	}
	return cert
}

// HTTP/2 serves calls and streams, and a certificate is replaced without a restart.
func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if _, err := TLS(certFile, keyFile, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("no certificate was taken")
	}
	first := certify(t, certFile, keyFile, 1)
	secure, err := TLS(certFile, keyFile, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := sandboxed(t)
	g, err := New(Config{Tenant: func(context.Context, Caller) (Tenant, error) { return s, nil }, Heartbeat: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	srv := newServer(g, 100, slog.New(slog.DiscardHandler))
	srv.WriteTimeout, srv.ReadTimeout = 500*time.Millisecond, 500*time.Millisecond // streams must last longer
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- serveOn(ctx, tls.NewListener(ln, secure), srv, g.drain, slog.New(slog.DiscardHandler)) }()
	base := "https://" + ln.Addr().String()

	for _, proto := range []string{"HTTP/2.0", "HTTP/1.1"} {
		roots := x509.NewCertPool()
		roots.AddCert(first)
		c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: proto == "HTTP/2.0"}}
		resp, err := c.Get(base + "/sse")
		if err != nil {
			t.Fatal(err)
		}
		if resp.Proto != proto {
			t.Errorf("speaks %s", resp.Proto)
		}
		pings, answered := 0, false
		lines := bufio.NewScanner(resp.Body)
		lines.Buffer(nil, 1<<20)
		for (pings < 150 || !answered) && lines.Scan() {
			text := lines.Text()
			if endpoint, ok := strings.CutPrefix(text, "data: /"); ok {
				posted, err := c.Post(base+"/"+endpoint, "application/json", strings.NewReader(listTools))
				if err != nil || posted.StatusCode != http.StatusAccepted {
					t.Fatal(posted, err)
				}
				posted.Body.Close()
			}
			answered = answered || strings.Contains(text, `"list-flags"`)
			if strings.HasPrefix(text, ": ping") {
				pings++
			}
		}
		if pings < 150 || !answered {
			t.Errorf("%s: the stream ended after %d heartbeats: %v", proto, pings, lines.Err())
		}
		resp.Body.Close()
		c.CloseIdleConnections()
	}

	serial := func() int64 {
		t.Helper()
		conn, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // which one it is gets checked
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Errorf("serves %d", got)
	}
	certify(t, certFile, keyFile, 2)
	if got := serial(); got != 2 {
		t.Errorf("after it was replaced: %d", got)
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	certify(t, certFile, keyFile, 3)
	if err := os.WriteFile(keyFile, key, 0o600); err != nil { // the key of the one before
		t.Fatal(err)
	}
	if got := serial(); got != 2 {
		t.Errorf("half replaced: %d", got)
	}
	if err := os.Remove(certFile); err != nil {
		t.Fatal(err)
	}
	if got := serial(); got != 2 {
		t.Errorf("removed: %d", got)
	}
	certify(t, certFile, keyFile, 4)
	if got := serial(); got != 4 {
		t.Errorf("repaired: %d", got)
	}
	if _, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil { //nolint:gosec // on purpose
		t.Error("speaks TLS 1.1")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
