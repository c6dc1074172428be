package tools

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/ld-mcp/ld-mcp/internal/hosted"
	"github.com/ld-mcp/ld-mcp/internal/pattern"
)

// hostedReply is the answer of a hosted tool. Its text is passed on as it is, without secrets, unseen characters, and what does not fit.
type hostedReply struct {
	c       *call
	got     *hosted.Result
	changed bool
}

func (r hostedReply) came() (gated, changed bool) { return false, r.changed }

// hostedDry is the reply to a change that was only to be shown.
type hostedDry struct {
	DryRun    bool           `json:"dryRun"`
	Changed   bool           `json:"changed"`
	Resource  string         `json:"resource"`
	Tool      string         `json:"tool"`
	Arguments map[string]any `json:"arguments"`
	Notes     []string       `json:"notes"`
}

// render is the reply in at most limit bytes.
func (r hostedReply) render(limit int) string {
	text := r.text(limit)
	if text != "" {
		return text
	}
	if r.changed {
		return "LaunchDarkly's hosted tool answered without a word; it reported no error."
	}
	return "LaunchDarkly's hosted tool answered without a word."
}

func (r hostedReply) text(limit int) string {
	var parts []string
	for _, c := range r.got.Content {
		if c.Type == "text" && c.Text != "" {
			parts = append(parts, c.Text)
		}
	}
	if len(parts) == 0 && len(r.got.Structured) > 0 {
		var b bytes.Buffer
		if json.Compact(&b, r.got.Structured) == nil {
			parts = append(parts, b.String())
		}
	}
	size, whole := 0, true
	for i, text := range parts {
		size += len(text)
		if most := 2*limit + 64<<10; len(text) > most { // nobody would get it
			text, whole = text[:most], false
		}
		parts[i] = r.c.safe(text)
	}
	out := strings.Join(parts, "\n")
	notes := r.notes()
	if len(notes) > limit/3 {
		notes = "\n[Not passed on: several parts that are not text]"
	}
	if len(out)+len(notes) > limit || !whole {
		const form = "\n[Cut: the answer has %d bytes, and this server sends at most %d. Ask for less: a smaller limit, a filter, a shorter time.]"
		note := fmt.Sprintf(form, size, limit) + notes
		out = out[:max(0, min(len(out), limit-len(note)))]
		for { // not in the middle of a character
			if r, n := utf8.DecodeLastRuneInString(out); r != utf8.RuneError || n != 1 {
				return out + note
			}
			out = out[:len(out)-1]
		}
	}
	return strings.TrimPrefix(out+notes, "\n")
}

// notes say what an answer holds besides text; it is not passed on.
func (r hostedReply) notes() string {
	const most = 5
	var notes []string
	for _, c := range r.got.Content {
		uri, mime := c.URI, c.MIMEType
		says := ""
		switch c.Type {
		case "text":
			continue
		case "image", "audio":
			says = fmt.Sprintf("of %d bytes", len(c.Data)*3/4)
		case "resource":
			if c.Resource != nil {
				uri, mime = c.Resource.URI, c.Resource.MIMEType
				says = fmt.Sprintf("of %d bytes", len(c.Resource.Text)+len(c.Resource.Blob)*3/4)
			}
		case "resource_link":
		default:
			c.Type = "part of an unknown kind"
		}
		if mime != "" {
			says += " (" + short(clean(mime), 60) + ")"
		}
		if uri != "" {
			says += " " + short(clean(r.c.ld.Mask(uri)), 200)
		}
		notes = append(notes, fmt.Sprintf("\n[Not passed on: %s %s]", strings.ReplaceAll(c.Type, "_", " "), strings.TrimSpace(says)))
	}
	if more := len(notes) - most; more > 0 {
		notes = append(notes[:most], fmt.Sprintf("\n[Not passed on: %d more parts]", more))
	}
	return strings.Join(notes, "")
}

// Fields whose values are secret, whatever they look like. A mere token may be
// that of a page, so it counts only where it is a field's whole name.
const (
	secretWords = `api[_-]?key|mobile[_-]?key|sdk[_-]?key|full[_-]?key|private[_-]?key|secret[_-]?key|secret[_-]?access[_-]?key|(?:client|webhook|signing|shared)?[_-]?secret|password|passwd|(?:proxy-)?authorization|(?:access|refresh|id|auth|api|bearer|relay|session)[_-]?token`
	secretNames = `(?:[\w-]*(?:` + secretWords + `)|token|cookie|set-cookie)`
)

var (
	secretField  = pattern.Of(`(?i)("` + secretNames + `"\s*:\s*")(?:[^"\\]|\\.)*`)
	secretNested = pattern.Of(`(?i)(\\+"` + secretNames + `\\+"\s*:\s*\\+")(?:[^"\\]|\\+[^"\\])*`) // in JSON that is a string of another one
	secretLine   = pattern.Of(`(?i)\b([\w-]*(?:` + secretWords + `)["']?\s*[:=]\s*["']?(?:bearer\s+|basic\s+)?)[^\s"',;&\\{}\[\]]{8,}`)
)

// safe is a text of other people without secrets and without what a person does not see.
func (c *call) safe(text string) string {
	text = visible(strings.ToValidUTF8(text, "\uFFFD"))
	for _, p := range []*regexp.Regexp{secretField(), secretNested(), secretLine()} {
		text = p.ReplaceAllString(text, "$1****")
	}
	return c.ld.Mask(text)
}
