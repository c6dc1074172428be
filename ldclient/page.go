package ldclient

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"strconv"
	"strings"
)

// Page is one page of a list.
type Page[T any] struct {
	Items []T `json:"items"`
	Total int `json:"totalCount"` // 0 where the API does not count
	Links struct {
		Self *struct{} `json:"self"`
		Next *struct {
			Href string `json:"href"`
		} `json:"next"`
	} `json:"_links"`
}

// missing tells a page from a reply that is none: an empty one still links to itself.
func (p *Page[T]) missing() string {
	if p.Items == nil && p.Links.Self == nil && p.Total == 0 {
		return "list"
	}
	return ""
}

// stream reads a page item by item, so that one item's text is held at a time
// and not all of them. Like Decode it goes on after what is not of its type, and
// tells of it at the end.
func (p *Page[T]) stream(d *json.Decoder) error {
	if t, err := d.Token(); err != nil || t == nil {
		return err
	} else if t != json.Delim('{') {
		return &json.UnmarshalTypeError{Value: fmt.Sprint(t)}
	}
	var odd error
	note := func(field string, err error) error {
		mistyped, ok := errors.AsType[*json.UnmarshalTypeError](err)
		if !ok {
			return err
		}
		if odd == nil {
			mistyped.Field = strings.TrimSuffix(field+"."+mistyped.Field, ".")
			odd = mistyped
		}
		return nil
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		switch name {
		case "items":
			err = p.streamItems(d, note)
		case "totalCount", "total_count": // experiments and holdouts
			err = note("totalCount", d.Decode(&p.Total))
		case "_links":
			err = note("_links", d.Decode(&p.Links))
		default:
			err = d.Decode(&skipped{})
		}
		if err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return err
	}
	return odd
}

func (p *Page[T]) streamItems(d *json.Decoder, note func(string, error) error) error {
	if t, err := d.Token(); err != nil || t == nil {
		return err
	} else if t != json.Delim('[') {
		return &json.UnmarshalTypeError{Value: fmt.Sprint(t), Field: "items"}
	}
	p.Items = []T{}
	for d.More() {
		var item T
		p.Items = append(p.Items, item)
		if err := note("items", d.Decode(&p.Items[len(p.Items)-1])); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

// skipped is a value that nobody reads.
type skipped struct{}

func (*skipped) UnmarshalJSON([]byte) error { return nil }

// More reports whether LaunchDarkly has another page after this one, which was asked for at offset.
func (p *Page[T]) More(offset int) bool {
	return len(p.Items) > 0 && (p.Links.Next != nil || offset+len(p.Items) < p.Total)
}

// Paging is a position in a list. A zero Limit leaves LaunchDarkly's default, 20 for most lists.
type Paging struct{ Limit, Offset int }

func (p Paging) query() url.Values {
	q := url.Values{}
	if p.Limit > 0 {
		q.Set("limit", strconv.Itoa(p.Limit))
	}
	if p.Offset > 0 {
		q.Set("offset", strconv.Itoa(p.Offset))
	}
	return q
}

// All walks every page that fetch returns, asking for the next one only while the caller keeps ranging.
func All[T any](fetch func(offset int) (*Page[T], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for offset := 0; ; {
			page, err := fetch(offset)
			if err != nil {
				var zero T
				yield(zero, err)
				return
			}
			for _, item := range page.Items {
				if !yield(item, nil) {
					return
				}
			}
			if !page.More(offset) {
				return
			}
			offset += len(page.Items)
		}
	}
}
