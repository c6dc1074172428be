package tools

import (
	"bytes"
	"encoding/json"
	"fmt"
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
	at         []int  // each item's offset
}

// pageOf shows one page that was read at offset.
func pageOf[A, B any](got *ldclient.Page[A], offset int, view func(A) B) page[B] {
	out := page[B]{Items: []B{}, TotalCount: got.Total}
	for i, item := range got.Items {
		out.add(view(item), offset+i)
	}
	if got.More(offset) {
		out.NextOffset = offset + len(got.Items)
	}
	return out
}

func (p *page[T]) add(item T, offset int) {
	p.Items, p.at = append(p.Items, item), append(p.at, offset)
}

// keep drops the items that lie outside the server's scope, and says so.
func (p *page[T]) keep(what string, allowed func(T) bool) {
	kept := page[T]{Items: []T{}, TotalCount: p.TotalCount, NextOffset: p.NextOffset}
	for i, item := range p.Items {
		if allowed(item) {
			kept.add(item, p.at[i])
		}
	}
	if n := len(p.Items) - len(kept.Items); n > 0 {
		kept.TotalCount = 0
		kept.Note = fmt.Sprintf("%d %ss outside this server's scope are left out.", n, what)
	}
	*p = kept
}

// shortened is implemented by lists, which can be cut to fit and say where to go on.
type shortened interface{ shorten(items int) (any, int) }

// lightened is implemented by replies that can do without their largest parts.
type lightened interface{ lighten() (any, bool) }

// shorten keeps the first items of a page; it also returns how many there were.
func (p page[T]) shorten(items int) (any, int) {
	had := len(p.Items)
	if items < had {
		p.NextOffset = p.at[items]
		p.Items = p.Items[:items]
		p.Note = strings.TrimSpace(fmt.Sprintf("%s Cut from %d items to fit; go on at offset %d, or narrow the list.", p.Note, had, p.NextOffset))
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
	full := len(text)
	if r, ok := reply.(lightened); ok {
		if less, ok := r.lighten(); ok {
			if text, err = marshal(less); err != nil || len(text) <= limit {
				return text, err
			}
			reply = less
		}
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
	return "", tooLarge{full, limit}
}

type tooLarge struct{ bytes, limit int }

func (e tooLarge) Error() string {
	return fmt.Sprintf("The reply would be %d bytes, and this server sends at most %d. Ask for less: a smaller limit, a filter, or one thing at a time; or read it in LaunchDarkly.", e.bytes, e.limit)
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

// cleanJSON removes from JSON, as this package writes it, the characters that a
// person does not see but a model reads: controls other than tab and line
// breaks, zero-width and direction marks, tags. Names and comments from
// LaunchDarkly may carry them.
func cleanJSON(b []byte) string {
	var out strings.Builder
	out.Grow(len(b))
	for i := 0; i < len(b); {
		switch {
		case b[i] == '\\' && b[i+1] == 'u': // the encoder escapes nothing so but controls and line separators
			i += 6
		case b[i] == '\\' && (b[i+1] == 'b' || b[i+1] == 'f'):
			i += 2
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
	case r >= 0x80 && r <= 0x9f, r == 0xad, r == 0x34f, r == 0x61c, r == 0x115f, r == 0x1160, r == 0x17b4, r == 0x17b5,
		r >= 0x180b && r <= 0x180f, r >= 0x200b && r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2060 && r <= 0x206f,
		r == 0x3164, r >= 0xfe00 && r <= 0xfe0f, r == 0xfeff, r == 0xffa0, r >= 0xfff9 && r <= 0xfffb,
		r >= 0xe0000 && r <= 0xe0fff:
		return true
	}
	return false
}

// clean makes text from LaunchDarkly fit for one line of a sentence.
func clean(s string) string {
	return ldclient.Mask(strings.Join(strings.Fields(visible(s)), " "))
}

// visible drops the characters that a person does not see.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if r == 0x7f || invisible(r) || r < ' ' && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, s)
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
