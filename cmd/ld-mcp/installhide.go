package main

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
	"github.com/tailscale/hujson"

	"github.com/ld-mcp/ld-mcp/internal/pattern"
)

const hidden = "(hidden)"

var (
	credentialWord = pattern.Of(`(?i)pass|secret|token|key|auth|credential`)
	credentialAt   = pattern.Of(`(?i)([\w.-]*(?:pass|secret|token|key|auth|credential)[\w.-]*)(["']?\s*[=:]\s*|\s+)`)
	placeName      = pattern.Of(`(?i)[_-](file|env[_-]var)$`)
	plainOption    = pattern.Of(`^--?[a-z][a-z-]*(=|$)`)
	userInfo       = pattern.Of(`://[^/?#\s]*@`)
	bearerWord     = pattern.Of(`(?i)\bbearer\s+(\S+)`)
	jsonComment    = pattern.Of(`//[^\r\n]*|(?s:/\*.*?\*/)`)
	tomlComment    = pattern.Of(`#[^\r\n]*`)
)

// hide makes the text of an entry fit to be shown: no value of what may be a secret, but references and paths.
func hide(a *app, format string, text []byte) string {
	h := hider{text: text, comment: jsonComment()}
	var err error
	if format == "toml" {
		h.comment = tomlComment()
		err = h.readTOML()
	} else if len(bytes.TrimSpace(text)) > 0 {
		var v hujson.Value
		if v, err = hujson.Parse(text); err == nil {
			h.json(v, "", "")
		}
	}
	if err != nil {
		return hidden + "\n"
	}
	h.gap(len(text))
	return a.secrets.mask(h.out.String())
}

// hider copies an entry, and puts something else for its secrets.
type hider struct {
	text    []byte
	at      int // how far it is copied
	out     strings.Builder
	comment *regexp.Regexp
}

// gap copies what stands up to an offset: punctuation, and comments, which may be entries of old.
func (h *hider) gap(end int) {
	h.out.WriteString(h.comment.ReplaceAllStringFunc(string(h.text[h.at:end]), func(s string) string {
		switch {
		case !credentialWord().MatchString(s) && hideWords(s) == s:
			return s
		case strings.HasPrefix(s, "/*"):
			return "/* " + hidden + " */"
		}
		return s[:strings.IndexFunc(s, func(r rune) bool { return r != '/' && r != '#' })] + " " + hidden
	}))
	h.at = end
}

// put copies what stands between two offsets, or writes a string in its place.
func (h *hider) put(start, end int, was, is string) {
	h.gap(start)
	if is == was {
		h.out.Write(h.text[start:end])
	} else {
		h.out.WriteString(tomlValue(is))
	}
	h.at = end
}

func (h *hider) json(v hujson.Value, name, before string) {
	switch value := v.Value.(type) {
	case *hujson.Object:
		for _, m := range value.Members {
			h.put(m.Name.StartOffset, m.Name.EndOffset, "", "")
			h.json(m.Value, m.Name.Value.(hujson.Literal).String(), "")
		}
	case *hujson.Array:
		for _, e := range value.Elements {
			h.json(e, name, before)
			before = ""
			if s, ok := e.Value.(hujson.Literal); ok {
				before = s.String()
			}
		}
	case hujson.Literal:
		if k := value.Kind(); k == '"' || k == '0' {
			h.put(v.StartOffset, v.EndOffset, value.String(), shownValue(value.String(), name, before))
		}
	}
}

func (h *hider) readTOML() error {
	p := new(unstable.Parser)
	p.Reset(h.text)
	for p.NextExpression() {
		h.toml(p.Expression(), "", "")
	}
	return p.Error()
}

func (h *hider) toml(n *unstable.Node, name, before string) {
	start, end := int(n.Raw.Offset), int(n.Raw.Offset+n.Raw.Length)
	switch n.Kind {
	case unstable.Table, unstable.ArrayTable, unstable.KeyValue:
		for keys := n.Key(); keys.Next(); {
			key := keys.Node()
			h.put(int(key.Raw.Offset), int(key.Raw.Offset+key.Raw.Length), "", "")
			name = string(key.Data)
		}
		if n.Kind == unstable.KeyValue {
			h.toml(n.Value(), name, "")
		}
	case unstable.InlineTable, unstable.Array:
		for of := n.Children(); of.Next(); {
			child := of.Node()
			h.toml(child, name, before)
			if before = ""; child.Kind == unstable.String {
				before = string(child.Data)
			}
		}
	case unstable.String, unstable.Integer, unstable.Float:
		h.put(start, end, string(n.Data), shownValue(string(n.Data), name, before))
	}
}

// shownValue is what is shown of a value with this name, behind this argument in a list.
func shownValue(value, name, before string) string {
	option := strings.HasPrefix(before, "-") && namesCredential(before) && !plainOption().MatchString(value)
	if (option || namesCredential(name)) && !safe(value) {
		return hidden
	}
	return hideWords(value)
}

// namesCredential reports whether a name is one of a secret, and not of where one is found.
func namesCredential(name string) bool {
	return credentialWord().MatchString(name) && !placeName().MatchString(name) && !strings.ContainsAny(name, "=: ")
}

func safe(value string) bool {
	return value == "" || isReference(strings.TrimPrefix(value, "Bearer "))
}

// hideWords hides the secrets in a text: what follows a name of one, and what stands before a host.
func hideWords(s string) string {
	for _, at := range credentialAt().FindAllStringSubmatchIndex(s, -1) {
		name, between, rest := s[at[2]:at[3]], s[at[4]:at[5]], s[at[5]:]
		word, _, _ := strings.Cut(strings.TrimPrefix(rest, "Bearer "), " ")
		option := strings.TrimSpace(between) == ""
		if placeName().MatchString(name) || safe(strings.Trim(word, `"'`)) || option && (!strings.HasPrefix(name, "-") || plainOption().MatchString(word)) {
			continue
		}
		s = s[:at[5]] + hidden
		break
	}
	s = bearerWord().ReplaceAllStringFunc(s, func(found string) string {
		if i := strings.LastIndexAny(found, " \t\r\n") + 1; !isReference(strings.Trim(found[i:], `"'`)) {
			return found[:i] + hidden
		}
		return found
	})
	return userInfo().ReplaceAllString(s, "://"+hidden+"@")
}
