package ldclient

import (
	"net/url"
	"slices"
	"strings"
)

// Masked stands in the place of a secret.
const Masked = "****"

var (
	secretNames = []string{"apikey", "mobilekey", "sdkkey", "secret", "secrets", "token", "fullkey", "triggerurl", "password", "passphrase",
		"credential", "credentials", "accesskey", "authorization", "connectionstring", "signingkey", "encryptionkey"}
	secretEndings = []string{"secret", "password", "privatekey", "secretkey", "secretaccesskey", "apikey", "apitoken", "accesstoken", "authtoken", "bearertoken",
		"refreshtoken", "apptoken", "sessiontoken", "sdkkey", "mobilekey"}
	configNames = []string{"config", "configuration", "configvalues", "configurations", "deliveryconfiguration"}
)

// SecretName reports whether a field of this name holds a secret, whatever its case and its dashes are.
func SecretName(name string) bool {
	name = foldName(name)
	return slices.Contains(secretNames, name) || slices.ContainsFunc(secretEndings, func(end string) bool { return strings.HasSuffix(name, end) })
}

// ConfigName reports whether a field of this name holds the settings of another service.
func ConfigName(name string) bool { return slices.Contains(configNames, foldName(name)) }

// foldName makes names alike that a server that is written in Go takes for the same, and those that differ in dashes.
func foldName(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == ' ' || r == '.' {
			return -1
		}
		return r
	}, strings.ToLower(strings.ToUpper(name)))
}

// MaskSecrets replaces the values of fields that are named like secrets, and
// what has the shape of one, in a decoded reply. With config, settings for
// another service are masked as a whole, and its addresses but for the host. It also tells whether it found any.
func MaskSecrets(v any, config bool) (any, bool) {
	m := masker{config: config}
	v = m.value(v, false)
	return v, m.found
}

type masker struct{ config, found bool }

// value masks what is secret in v; all that is text if whole.
func (m *masker) value(v any, whole bool) any {
	switch v := v.(type) {
	case string:
		if whole && v != "" {
			m.found = true
			return Masked
		}
		if text := Mask(v); text != v {
			m.found = true
			return text
		}
	case []any:
		for i, item := range v {
			v[i] = m.value(item, whole)
		}
	case map[string]any:
		m.object(v, whole)
	}
	return v
}

func (m *masker) object(v map[string]any, whole bool) {
	if !m.config && ofThirdParty(v) {
		m.config = true
		defer func() { m.config = false }()
	}
	step := pointed(v)
	paired := SecretPath(step) || m.config && slices.ContainsFunc(strings.Split(step, "/"), ConfigName)
	for name, inner := range v {
		_, isObject := inner.(map[string]any)
		hide := whole || paired && foldName(name) == "value"
		switch {
		case SecretName(name) && !isObject: // an object of that name tells of a secret, or is keyed by names of people's own
			hide = true
		case m.config && ConfigName(name):
			hide = true
		}
		leads := strings.HasSuffix(foldName(name), "url") || foldName(name) == "value" && strings.HasSuffix(foldName(step), "url")
		if text, ok := inner.(string); ok && m.config && leads && !hide {
			v[name] = m.address(text)
			continue
		}
		v[name] = m.value(inner, hide)
	}
}

// address keeps of the address of another service which one it is: those who know all of it may send there.
func (m *masker) address(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Path == "" && u.RawQuery == "" && u.User == nil {
		return text
	}
	m.found = true
	return u.Scheme + "://" + u.Host + "/" + Masked
}

// pointed is where a step of a JSON Patch leads, in any spelling of path; "" where v is none.
func pointed(v map[string]any) string {
	var all []string
	for name, inner := range v {
		if text, _ := inner.(string); text != "" && foldName(name) == "path" {
			all = append(all, text)
		}
	}
	return strings.Join(all, "/")
}

// ofThirdParty reports whether v is an entry of the audit log on settings for another service, which it shows whole.
func ofThirdParty(v map[string]any) bool {
	kind, _ := v["kind"].(string)
	kind = foldName(kind)
	_, told := v["titleVerb"]
	for _, name := range []string{"currentVersion", "previousVersion", "delta", "accesses"} {
		told = told || v[name] != nil
	}
	return told && (strings.HasPrefix(kind, "webhook") || strings.HasPrefix(kind, "integration") || strings.HasPrefix(kind, "destination"))
}

// SecretPath reports whether a JSON Pointer leads to a secret or into one.
func SecretPath(pointer string) bool {
	for part := range strings.SplitSeq(pointer, "/") {
		if SecretName(strings.NewReplacer("~1", "/", "~0", "~").Replace(part)) {
			return true
		}
	}
	return false
}
