package gateway

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
	"github.com/ld-mcp/ld-mcp/tools"
)

// benchmarked is a service on a sandbox account, and a client of it.
type benchmarked struct {
	base, addr string
	client     *http.Client
}

func serveBenchmark(b *testing.B) *benchmarked {
	b.Helper()
	ld, err := ldclient.New(ldclient.Config{Token: ldclient.StaticToken(sandbox.WriterToken), Transport: sandbox.New(sandbox.Options{}), Cache: 3 * time.Second})
	if err != nil {
		b.Fatal(err)
	}
	s, err := tools.New(tools.Options{Client: ld})
	if err != nil {
		b.Fatal(err)
	}
	g, err := New(Config{Tenant: func(context.Context, Caller) (Tenant, error) { return s, nil }})
	if err != nil {
		b.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(b.Context()))
	done := make(chan error, 1)
	go func() { done <- g.Serve(ctx, ln) }()
	transport := &http.Transport{MaxIdleConnsPerHost: atOnce}
	b.Cleanup(func() {
		transport.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	addr := ln.Addr().String()
	return &benchmarked{"http://" + addr, addr, &http.Client{Transport: transport, Timeout: time.Minute}}
}

// post sends a message and returns the reply and the session that it names.
func (s *benchmarked) post(path, session, body string) (reply, id string, err error) {
	req, err := http.NewRequest(http.MethodPost, s.base+path, strings.NewReader(body))
	if err != nil {
		return "", "", err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	if session != "" {
		req.Header.Set("Mcp-Session-Id", session)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return "", "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode > 299 {
		err = fmt.Errorf("%s: %s", resp.Status, text)
	}
	return string(text), resp.Header.Get("Mcp-Session-Id"), err
}

// conversation is one session: it sends a message and returns the reply.
type conversation func(body string) (string, error)

func (s *benchmarked) openStreamable() (conversation, error) {
	_, id, err := s.post("/mcp", "", hello)
	if err == nil && id == "" {
		err = errors.New("no session")
	}
	return func(body string) (string, error) {
		reply, _, err := s.post("/mcp", id, body)
		return reply, err
	}, err
}

// openSSE reads its stream from a bare connection, which takes little memory here beside that of the service.
func (s *benchmarked) openSSE(b *testing.B) (conversation, error) {
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		return nil, err
	}
	b.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "GET /sse HTTP/1.1\r\nHost: %s\r\n\r\n", s.addr)
	resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 256), nil)
	if err != nil {
		return nil, err
	}
	next := func() (string, error) {
		var event bytes.Buffer
		var piece [512]byte
		for {
			n, err := resp.Body.Read(piece[:])
			event.Write(piece[:n])
			if err != nil {
				return "", err
			}
			if text, ok := strings.CutSuffix(event.String(), "\n\n"); ok {
				if _, data, ok := strings.Cut(text, "data: "); ok {
					return data, nil
				}
				event.Reset() // a heartbeat
			}
		}
	}
	endpoint, err := next()
	if err != nil {
		return nil, err
	}
	talk := func(body string) (string, error) {
		if _, _, err := s.post(endpoint, "", body); err != nil {
			return "", err
		}
		return next()
	}
	_, err = talk(hello)
	return talk, err
}

// atOnce is how many clients speak at the same time.
const atOnce = 16

// forEach does something for n sessions, a few at once.
func forEach(b *testing.B, n int, do func(i int) error) {
	b.Helper()
	var wait sync.WaitGroup
	turns := make(chan int)
	for range atOnce {
		wait.Go(func() {
			for i := range turns {
				if err := do(i); err != nil {
					b.Errorf("session %d: %v", i, err)
				}
			}
		})
	}
	for i := range n {
		turns <- i
	}
	close(turns)
	wait.Wait()
	if b.Failed() {
		b.FailNow()
	}
}

func held() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc + m.StackInuse)
}

// BenchmarkSessions opens a thousand sessions and makes a call in each of them.
func BenchmarkSessions(b *testing.B) {
	const sessions = 1000
	const call = `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"get-flag","arguments":{"projectKey":"shop","flagKey":"dark-mode","environmentKey":"test"}}}`
	for _, kind := range []string{"streamable", "sse"} {
		b.Run(kind, func(b *testing.B) {
			s := serveBenchmark(b)
			open := s.openStreamable
			if kind == "sse" {
				open = func() (conversation, error) { return s.openSSE(b) }
			}
			forEach(b, 2*atOnce, func(int) error { // what is made once is there
				_, err := open()
				return err
			})
			before := held()
			talks := make([]conversation, sessions)
			start := time.Now()
			forEach(b, sessions, func(i int) (err error) {
				talks[i], err = open()
				return err
			})
			opened := time.Since(start)
			each := (held() - before) / sessions
			calls := 0
			b.ReportAllocs()
			for b.Loop() {
				forEach(b, sessions, func(i int) error {
					reply, err := talks[i](fmt.Sprintf(call, i))
					if err == nil && (!strings.Contains(reply, fmt.Sprintf(`"id":%d`, i)) || !strings.Contains(reply, `\"key\":\"dark-mode\"`)) {
						err = fmt.Errorf("it was answered %s", reply)
					}
					return err
				})
				calls += sessions
			}
			b.ReportMetric(float64(calls)/b.Elapsed().Seconds(), "calls/s")
			b.ReportMetric(sessions/opened.Seconds(), "opened/s")
			b.ReportMetric(each, "B/session")
		})
	}
}
