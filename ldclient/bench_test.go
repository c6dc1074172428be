package ldclient_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

type always string

func (a always) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(string(a))), Request: r}, nil
}

func benchmark(b *testing.B, do func(context.Context, *ldclient.Client) error, change ...func(*ldclient.Config)) {
	b.Helper()
	cfg := ldclient.Config{Token: ldclient.StaticToken(token), Transport: always(flagBody)}
	for _, c := range change {
		c(&cfg)
	}
	c, err := ldclient.New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := do(b.Context(), c); err != nil {
			b.Fatal(err)
		}
	}
}

// The way of a call that nothing holds up, but for the network.

func BenchmarkRead(b *testing.B) { benchmark(b, getFlag) }

func BenchmarkWrite(b *testing.B) { benchmark(b, patchFlag) }

func BenchmarkFreshRead(b *testing.B) {
	benchmark(b, func(ctx context.Context, c *ldclient.Client) error { return getFlag(ldclient.Fresh(ctx), c) })
}

func BenchmarkCachedRead(b *testing.B) { benchmark(b, getFlag, cached) }

func BenchmarkReadOverLoopback(b *testing.B) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, flagBody) }))
	defer s.Close()
	benchmark(b, getFlag, func(cfg *ldclient.Config) { cfg.BaseURL, cfg.Transport = s.URL, nil })
}

// pageOfFlags is the body of a list of this many flags with their state in one environment.
func pageOfFlags(b *testing.B, n int) string {
	b.Helper()
	req := httptest.NewRequest(http.MethodGet, fmt.Sprintf("/api/v2/flags/shop?env=test&limit=%d", n), nil)
	req.Header.Set("Authorization", sandbox.WriterToken)
	w := httptest.NewRecorder()
	sandbox.New(sandbox.Options{Flags: n + n/5}).ServeHTTP(w, req) // of which some are archived
	return w.Body.String()
}

func BenchmarkDecodePage(b *testing.B) {
	const flags = 2000
	body := pageOfFlags(b, flags)
	b.SetBytes(int64(len(body)))
	benchmark(b, func(ctx context.Context, c *ldclient.Client) error {
		page, err := c.Flags.List(ctx, "shop", ldclient.ListFlags{Environment: "test", Paging: ldclient.Paging{Limit: flags}})
		if err == nil && (len(page.Items) != flags || !page.Items[0].Environments["test"].On) {
			err = fmt.Errorf("%d flags, the first is %+v", len(page.Items), page.Items[0])
		}
		return err
	}, func(cfg *ldclient.Config) { cfg.Transport = always(body) })
}

func BenchmarkMask(b *testing.B) {
	body := pageOfFlags(b, 20)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if ldclient.Mask(body) != body {
			b.Fatal("something in there looks like a secret")
		}
	}
}
