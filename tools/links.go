package tools

import (
	"net/url"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// pageURL is LaunchDarkly's own page of what a call is about, "" where it has none.
func pageURL(ld *ldclient.Client, t ldclient.Target) string {
	q := "?" + url.Values{"env": {t.Environment}, "selected-env": {t.Environment}}.Encode()
	if t.Environment == "" {
		q = ""
	}
	at := ld.BaseURL() + "/projects/" + url.PathEscape(t.Project)
	switch t.Kind {
	case "flag":
		return at + "/flags/" + url.PathEscape(t.Key) + "/targeting" + q
	case "segment":
		return at + "/segments/" + url.PathEscape(t.Key) + "/targeting" + q
	case "aiconfig":
		return at + "/ai-configs/" + url.PathEscape(t.Key) + "/targeting" + q
	}
	return ""
}
