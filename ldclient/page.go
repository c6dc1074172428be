package ldclient

import (
	"iter"
	"net/url"
	"strconv"
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
