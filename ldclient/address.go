package ldclient

import (
	"encoding/json"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"unicode"

	"github.com/ld-mcp/ld-mcp/internal/pattern"
)

// Address is where something is sent, without whatever may let anybody else
// send there: of a URL it keeps the scheme, the host, and those parts of the
// path that are everyday words. The rest is lost when it is decoded.
type Address string

// hidden stands for what an Address does not tell.
const hidden = "…"

// UnmarshalJSON keeps what may be shown.
func (a *Address) UnmarshalJSON(b []byte) error {
	var s string
	*a = hidden
	if json.Unmarshal(b, &s) == nil {
		*a = addressOf(s)
	}
	return nil
}

func addressOf(s string) Address {
	if s == "" {
		return ""
	}
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil || u.Host == "" || !everyday(u.Scheme) {
		return hidden
	}
	var out strings.Builder
	out.WriteString(strings.ToLower(u.Scheme) + "://")
	if u.User != nil {
		out.WriteString(hidden + "@")
	}
	out.WriteString(hostOf(u.Hostname()))
	if port := u.Port(); port != "" {
		out.WriteString(":" + port)
	}
	if path := strings.Trim(u.EscapedPath(), "/"); path != "" {
		for part := range strings.SplitSeq(path, "/") {
			if !everyday(part) {
				part = hidden
			}
			out.WriteString("/" + part)
		}
	}
	if u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		out.WriteString("?" + hidden)
	}
	return Address(out.String())
}

// hostOf hides the parts of a host's name that look drawn: some services give every receiver a host of its own.
func hostOf(host string) string {
	if ip, err := netip.ParseAddr(host); err == nil {
		if ip.Is6() {
			return "[" + ip.String() + "]"
		}
		return host
	}
	labels := strings.Split(strings.TrimSuffix(strings.ToLower(host), "."), ".")
	for i, label := range labels {
		if i < len(labels)-2 && drawn(label) || strings.ContainsFunc(label, unprintable) || len(label) > 63 {
			labels[i] = hidden
		}
	}
	return strings.Join(labels, ".")
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// drawn reports whether part of a host's name could be random: long ones, and ones with many digits, count as that.
func drawn(label string) bool {
	digits := 0
	for word := range strings.SplitSeq(label, "-") {
		if len(word) > 12 {
			return true
		}
		for _, c := range word {
			if unicode.IsDigit(c) {
				digits++
			}
		}
	}
	return digits > 2 || len(label) > 40
}

var (
	version = pattern.Of(`^v[0-9]{1,2}$`)

	everydayWords = sync.OnceValue(func() map[string]bool {
		all := map[string]bool{}
		for w := range strings.FieldsSeq(`http https api apis app apps hook hooks webhook webhooks webhookb2 webhooks2 services service incoming inbound
			receive receiver receivers catch trigger triggers event events log logs intake input inputs collect collector ingest bulk raw json
			audit auditlog audits change changes flag flags feature features launchdarkly ld toggle toggles notify notification notifications
			alert alerts alerting integration integrations message messages post send callback callbacks workflow workflows manual paths invoke run
			slack teams jira servicenow datadog splunk honeycomb grafana dynatrace github gitlab pagerduty opsgenie incomingwebhook enqueue
			deploy deployment deployments release releases prod production staging test dev qa internal public external admin
			rest rpc graphql v series metrics annotations dashboards monitor monitoring status health sync proxy gateway edge lambda functions default latest`) {
			all[w] = true
		}
		return all
	})
)

// everyday reports whether part of a path is made of words that could not be a secret.
func everyday(part string) bool {
	words := 0
	for word := range strings.FieldsFuncSeq(strings.ToLower(part), func(r rune) bool { return strings.ContainsRune("-_.", r) }) {
		words++
		if !everydayWords()[word] && !version().MatchString(word) {
			return false
		}
	}
	return words > 0 && words <= 3
}
