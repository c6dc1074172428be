package sandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

const (
	defaultLimit = 20
	anyLimit     = 1 << 31
)

func send(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if status == http.StatusNoContent {
		return
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // the account's state is plain data
	}
}

// fail answers with LaunchDarkly's error body.
func fail(w http.ResponseWriter, status int, code, message string) {
	body := map[string]string{"code": code, "message": message}
	if rep, ok := w.(*reply); ok {
		body["id"] = rep.id
	}
	send(w, status, body)
}

func badRequest(w http.ResponseWriter, err error) {
	fail(w, http.StatusBadRequest, "invalid_request", sentence(err))
}

// sentence is an error's text with a capital letter.
func sentence(err error) string {
	s := err.Error()
	return strings.ToUpper(s[:1]) + s[1:]
}

func decodeBody(r *http.Request, v any) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("invalid request body: %w", err)
	}
	return nil
}

// posted reads what a POST would make in the project of its path. Where that
// cannot be, it answers and returns no project.
func posted[Fields any](a *Account, w http.ResponseWriter, r *http.Request) (*project, string, *Fields) {
	p := a.project(w, r)
	if p == nil {
		return nil, "", nil
	}
	var text json.RawMessage
	var named struct {
		Key string `json:"key"`
	}
	in := new(Fields)
	err := decodeBody(r, &text)
	for _, part := range []any{&named, in} {
		if err == nil {
			err = json.Unmarshal(text, part)
		}
	}
	if err == nil {
		err = checkKey(named.Key, 256)
	}
	if err != nil {
		badRequest(w, err)
		return nil, "", nil
	}
	return p, named.Key, in
}

// pageParams reads limit and offset; a limit that is absent or 0 is the API's default.
func pageParams(r *http.Request) (limit, offset int, err error) {
	if limit, err = countParam(r, "limit"); err != nil {
		return 0, 0, err
	}
	if offset, err = countParam(r, "offset"); err != nil {
		return 0, 0, err
	}
	if limit == 0 {
		limit = defaultLimit
	}
	return limit, offset, nil
}

func countParam(r *http.Request, name string) (int, error) {
	s := r.URL.Query().Get(name)
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("invalid value %q for parameter %s", s, name)
	}
	return n, nil
}

type link struct {
	Href string `json:"href"`
	Type string `json:"type"`
}

type links map[string]link

func linkTo(path ...string) link {
	href := "/api/v2"
	for _, s := range path {
		href += "/" + url.PathEscape(s)
	}
	return link{Href: href, Type: "application/json"}
}

func requestLink(r *http.Request, q url.Values) link {
	href := r.URL.EscapedPath()
	if len(q) > 0 {
		href += "?" + q.Encode()
	}
	return link{Href: href, Type: "application/json"}
}

// page cuts one page out of items and wraps it as the API's collections are.
func page[T any](r *http.Request, items []T, limit, offset int) map[string]any {
	total := len(items)
	start := min(offset, total)
	end := start + min(limit, total-start)
	to := func(offset int) link {
		q := r.URL.Query()
		q.Set("limit", strconv.Itoa(limit))
		q.Set("offset", strconv.Itoa(offset))
		return requestLink(r, q)
	}
	l := links{"self": requestLink(r, r.URL.Query())}
	if start > 0 {
		l["first"] = to(0)
		l["prev"] = to(max(start-limit, 0))
	}
	if end < total {
		l["next"] = to(end)
		l["last"] = to((total - 1) / limit * limit)
	}
	shown := items[start:end]
	if shown == nil {
		shown = []T{}
	}
	return map[string]any{"items": shown, "totalCount": total, "_links": l}
}

// sendPage answers with the page that the request asks for, of at most most items.
func sendPage[T, R any](w http.ResponseWriter, r *http.Request, found []T, most int, rep func(T) R) {
	limit, offset, err := pageParams(r)
	if err == nil && limit > most {
		err = fmt.Errorf("invalid limit %d: it must be at most %d", limit, most)
	}
	if err != nil {
		badRequest(w, err)
		return
	}
	reps := make([]R, len(found))
	for i, item := range found {
		reps[i] = rep(item)
	}
	send(w, http.StatusOK, page(r, reps, limit, offset))
}
