package ldclient

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Hosted maps the name of a LaunchDarkly instance to the MCP server that LaunchDarkly hosts for it; the others have none.
var Hosted = map[string]string{"us": "https://mcp.launchdarkly.com/mcp/launchdarkly"}

// CheckHosted refuses an address that the access token must not be sent to.
func CheckHosted(address string) error {
	_, err := parseHosted(address)
	return err
}

func parseHosted(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%q is not a URL; write it like %s", Mask(address), Hosted["us"])
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("the address at %q must hold no user, query or fragment; write it like %s", u.Host, Hosted["us"])
	case u.Hostname() == "" || !slices.Contains([]string{"https", "http"}, u.Scheme):
		return nil, fmt.Errorf("%q must begin with https://, like %s", Mask(address), Hosted["us"])
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, fmt.Errorf("%q would send the access token unencrypted; use https://", Mask(address))
	}
	return u, nil
}

// HostedHere reports whether an address is one of this machine's own.
func HostedHere(address string) bool {
	u, err := parseHosted(address)
	return err == nil && loopback(u.Hostname())
}

// hostedTransport serves all clients; each request says whose it is.
var hostedTransport = sync.OnceValue(DefaultTransport)

// Bearer returns a transport to the server at address, which takes the client's access token as a bearer's. It refuses
// requests to anywhere else, so that the token cannot leave for there.
func (c *Client) Bearer(address string) (http.RoundTripper, error) {
	u, err := parseHosted(address)
	if err != nil {
		return nil, err
	}
	return &bearer{c, u}, nil
}

type bearer struct {
	c    *Client
	only *url.URL
}

func (b *bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	refuse := func(err error) (*http.Response, error) {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, err
	}
	if r.URL.Scheme != b.only.Scheme || !strings.EqualFold(r.URL.Host, b.only.Host) {
		return refuse(fmt.Errorf("the access token is for %s alone", b.only.Host))
	}
	token, err := b.c.cfg.Token()
	if err != nil {
		return refuse(err)
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(token))
	r.Header.Set("User-Agent", b.c.cfg.UserAgent)
	return hostedTransport().RoundTrip(r)
}

// Mask replaces the client's own token and whatever else in s has the shape of a LaunchDarkly secret.
func (c *Client) Mask(s string) string { return c.mask(s) }
