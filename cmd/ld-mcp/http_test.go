package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

func finish(t *testing.T, stop func() error) {
	t.Helper()
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestListenOnlyOnLoopback(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"127.0.0.1:8080", "localhost:0", "[::1]:8080", "127.8.9.1:80"} {
		if err := checkLoopback("--http", addr, "ask"); err != nil {
			t.Errorf("%s: %v", addr, err)
		}
	}
	for _, addr := range []string{":8080", "0.0.0.0:8080", "[::]:8080", "192.168.1.7:80", "example.com:80", "8080", "127.0.0.1", "127.0.0.1:", "localhost.evil.example:80"} {
		if err := checkLoopback("--http", addr, "ask"); err == nil || !strings.Contains(err.Error(), "127.0.0.1") {
			t.Errorf("%s: %v", addr, err)
		}
	}
	for _, command := range []string{"serve", "sandbox"} {
		option := map[string]string{"serve": "--http", "sandbox": "--addr"}[command]
		if got := invoke(t, nil, "", command, "--sandbox", option, "0.0.0.0:0"); got.code() != 2 {
			t.Errorf("%s on every interface: %d, %v", command, got.code(), got.err)
		}
	}
	taken, err := listenHere("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if got := invoke(t, nil, "", "--sandbox", "--http", taken.Addr().String()); got.code() != 1 || !strings.Contains(got.err.Error(), "Choose another port") {
		t.Errorf("a port that is taken: %d, %v", got.code(), got.err)
	}
}

func TestSandboxCommand(t *testing.T) {
	t.Parallel()
	out, in := io.Pipe()
	a := newApp(func(string) string { return "" }, strings.NewReader(""), in, io.Discard)
	cmd, err := a.parse([]string{"sandbox"})
	if err != nil {
		t.Fatal(err)
	}
	stop := within(t.Context(), func(ctx context.Context) error {
		defer in.Close()
		return cmd.Run(ctx, a)
	})
	var said strings.Builder
	lines := bufio.NewScanner(io.TeeReader(out, &said))
	base := ""
	for base == "" && lines.Scan() {
		if i := strings.Index(lines.Text(), "http://127.0.0.1:"); i >= 0 {
			base, _, _ = strings.Cut(lines.Text()[i:], " ")
		}
	}
	rest := make(chan struct{})
	go func() {
		defer close(rest)
		for lines.Scan() {
		}
	}()
	got := invoke(t, []string{"LD_ACCESS_TOKEN=" + sandbox.WriterToken}, "", "call", "list-projects", "--base-url", base)
	if got.err != nil || !strings.Contains(got.stdout, `"shop"`) {
		t.Errorf("%s, %v", got.stdout, got.err)
	}
	finish(t, stop)
	<-rest
	if !strings.Contains(said.String(), sandbox.WriterToken) || !strings.Contains(said.String(), fmt.Sprintf("curl -H 'Authorization: %s'", sandbox.WriterToken)) {
		t.Errorf("said %s", said.String())
	}
}
