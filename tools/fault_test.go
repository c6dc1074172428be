package tools_test

import (
	"io"
	"net/http"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

// failing answers 500 to every request whose path ends in suffix.
type failing struct {
	*sandbox.Account
	suffix string
}

func (f failing) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, f.suffix) {
		return &http.Response{StatusCode: http.StatusInternalServerError, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
			Body: io.NopCloser(strings.NewReader(`{"code":"internal_service_error","message":"it broke"}`))}, nil
	}
	return f.Account.RoundTrip(r)
}
