package tools

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// page is the reply of every list.
type page[T any] struct {
	Items      []T    `json:"items"`
	TotalCount int    `json:"totalCount,omitempty"`
	NextOffset int    `json:"nextOffset,omitempty" doc:"Set when there is more"`
	Note       string `json:"note,omitempty"`
	offset     int
}

// pageOf shows one page that was read at offset.
func pageOf[A, B any](got *ldclient.Page[A], offset int, view func(A) B) page[B] {
	out := page[B]{Items: make([]B, len(got.Items)), TotalCount: got.Total, offset: offset}
	for i, item := range got.Items {
		out.Items[i] = view(item)
	}
	if got.More(offset) {
		out.NextOffset = offset + len(got.Items)
	}
	return out
}

// keep drops the items that lie outside the server's scope, and says so.
func (p *page[T]) keep(what string, allowed func(T) bool) {
	had := len(p.Items)
	if p.Items = slices.DeleteFunc(p.Items, func(t T) bool { return !allowed(t) }); len(p.Items) < had {
		p.Note = fmt.Sprintf("%d %ss outside this server's scope are left out.", had-len(p.Items), what)
		p.TotalCount = 0
	}
}

// shortened is implemented by replies that can be cut to fit and say where to go on.
type shortened interface{ shorten(items int) (any, int) }

// shorten keeps the first items of a page; it also returns how many there were.
func (p page[T]) shorten(items int) (any, int) {
	had := len(p.Items)
	if items < had {
		p.Items, p.NextOffset = p.Items[:items], p.offset+items
		p.Note = fmt.Sprintf("Cut from %d items to fit; go on at offset %d, or narrow the list.", had, p.NextOffset)
	}
	return p, had
}

// encode writes a reply as compact JSON of at most limit bytes, without
// anything that has the shape of a secret or that a person could not see.
func encode(reply any, limit int) (string, error) {
	text, err := marshal(reply)
	if err != nil || len(text) <= limit {
		return text, err
	}
	if list, ok := reply.(shortened); ok {
		_, high := list.shorten(0)
		low, best := 0, ""
		for low < high { // the most items that fit
			n := (low + high + 1) / 2
			cut, _ := list.shorten(n)
			if text, err = marshal(cut); err != nil {
				return "", err
			}
			if len(text) <= limit {
				low, best = n, text
			} else {
				high = n - 1
			}
		}
		if best != "" {
			return best, nil
		}
	}
	return "", tooLarge{len(text), limit}
}

type tooLarge struct{ bytes, limit int }

func (e tooLarge) Error() string {
	return fmt.Sprintf("The reply would be %d bytes, and this server sends at most %d. Ask for less: a smaller limit, a filter, or one thing at a time.", e.bytes, e.limit)
}

func marshal(v any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "", err
	}
	return ldclient.Mask(cleanJSON(bytes.TrimRight(b.Bytes(), "\n"))), nil
}

// cleanJSON removes from JSON the characters that a person does not see but a
// model reads: controls other than tab and line breaks, zero-width and
// direction marks, tags. Names and comments from LaunchDarkly may carry them.
func cleanJSON(b []byte) string {
	var out strings.Builder
	out.Grow(len(b))
	for i := 0; i < len(b); {
		switch {
		case b[i] == '\\' && i+5 < len(b) && b[i+1] == 'u':
			if !bytes.HasPrefix(b[i+2:], []byte("00")) && !bytes.HasPrefix(b[i+2:], []byte("202")) {
				out.Write(b[i : i+6])
			}
			i += 6
		case b[i] == '\\':
			out.Write(b[i : i+2])
			i += 2
		case b[i] < utf8.RuneSelf:
			if b[i] != 0x7f {
				out.WriteByte(b[i])
			}
			i++
		default:
			r, n := utf8.DecodeRune(b[i:])
			if !invisible(r) {
				out.Write(b[i : i+n])
			}
			i += n
		}
	}
	return out.String()
}

func invisible(r rune) bool {
	switch {
	case r >= 0x80 && r <= 0x9f, r == 0xad, r == 0x61c, r == 0x180e, r == 0xfeff,
		r >= 0x200b && r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2060 && r <= 0x206f,
		r >= 0xfff9 && r <= 0xfffb, r >= 0xe0000 && r <= 0xe0fff:
		return true
	}
	return false
}

// clean makes text from LaunchDarkly fit for one line of a sentence.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == 0x7f || invisible(r) || r < ' ' && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, s)
	return ldclient.Mask(strings.Join(strings.Fields(s), " "))
}

// result renders what a tool returned. The text stands on its own;
// structuredContent, when it is on, is the same JSON, because clients show a
// model the one or the other. An error is text alone, since some drop it otherwise.
func result(text string, structured bool) *mcp.CallToolResult {
	if structured {
		return mcp.NewToolResultStructured(json.RawMessage(text), text)
	}
	return mcp.NewToolResultText(text)
}
