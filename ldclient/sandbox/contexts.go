package sandbox

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const maxContexts = 50

func (a *Account) contextRoutes() {
	const env = "/projects/{project}/environments/{environment}"
	a.route("POST "+env+"/contexts/search", a.onEnvironment(a.searchContexts))
	a.route("GET "+env+"/contexts/{kind}/{key}", a.onEnvironment(a.getContexts))
	a.route("GET "+env+"/context-attributes", a.onEnvironment(a.contextAttributes))
	a.route("GET "+env+"/context-attributes/{attribute}", a.onEnvironment(a.contextValues))
	a.route("GET /projects/{project}/context-kinds", a.contextKinds)
}

// contextQuery is a search's parameters, from the query or from the body.
type contextQuery struct {
	Filter            string `json:"filter"`
	Sort              string `json:"sort"`
	Limit             int    `json:"limit"`
	ContinuationToken string `json:"continuationToken"`
	matches           expression
	offset            int
}

func readContextQuery(r *http.Request, body contextQuery) (contextQuery, error) {
	in := r.URL.Query()
	limit, err := countParam(r, "limit")
	if err != nil {
		return body, err
	}
	q := contextQuery{Filter: in.Get("filter"), Sort: in.Get("sort"), Limit: limit, ContinuationToken: in.Get("continuationToken")}
	inQuery := q.Filter != "" || q.Sort != "" || q.Limit != 0 || q.ContinuationToken != ""
	inBody := body.Filter != "" || body.Sort != "" || body.Limit != 0 || body.ContinuationToken != ""
	if inQuery && inBody {
		return q, errors.New("parameters must be in the query or in the body, not in both")
	}
	if inBody {
		q = body
	}
	q.Limit = cmp.Or(q.Limit, defaultLimit)
	if q.Limit < 1 || q.Limit > maxContexts {
		return q, fmt.Errorf("invalid limit %d: it must be between 1 and %d", q.Limit, maxContexts)
	}
	if q.Sort != "" && q.Sort != "ts" && q.Sort != "-ts" {
		return q, fmt.Errorf("invalid sort %q: expected ts or -ts", q.Sort)
	}
	if q.ContinuationToken != "" {
		text, err := base64.RawURLEncoding.DecodeString(q.ContinuationToken)
		if err == nil {
			q.offset, err = strconv.Atoi(string(text))
		}
		if err != nil || q.offset < 0 {
			return q, errors.New("invalid continuationToken")
		}
	}
	q.matches, err = parseExpression(q.Filter)
	return q, err
}

func (a *Account) searchContexts(w http.ResponseWriter, r *http.Request, p *project, e *environment) {
	var body contextQuery
	if r.ContentLength != 0 {
		if err := decodeBody(r, &body); err != nil {
			badRequest(w, err)
			return
		}
	}
	a.sendContexts(w, r, e, a.seenIn(p, e), body)
}

func (a *Account) getContexts(w http.ResponseWriter, r *http.Request, p *project, e *environment) {
	seen := slices.DeleteFunc(a.seenIn(p, e), func(c *seenContext) bool {
		return c.Kind != r.PathValue("kind") || c.Key != r.PathValue("key")
	})
	a.sendContexts(w, r, e, seen, contextQuery{})
}

func (a *Account) seenIn(p *project, e *environment) []*seenContext {
	var out []*seenContext
	for _, c := range a.contexts {
		if c.Project == p.Key && c.Env == e.Key {
			out = append(out, c)
		}
	}
	return out
}

type contextRecord struct {
	LastSeen           string         `json:"lastSeen"`
	ApplicationID      string         `json:"applicationId,omitempty"`
	Context            map[string]any `json:"context"`
	AssociatedContexts int            `json:"associatedContexts"`
	Links              links          `json:"_links"`
}

func (a *Account) sendContexts(w http.ResponseWriter, r *http.Request, e *environment, seen []*seenContext, body contextQuery) {
	q, err := readContextQuery(r, body)
	if err != nil {
		badRequest(w, err)
		return
	}
	var found []*seenContext
	for _, c := range seen {
		ok, err := q.matches.match(c.holds)
		if err != nil {
			badRequest(w, err)
			return
		}
		if ok {
			found = append(found, c)
		}
	}
	slices.SortStableFunc(found, func(a, b *seenContext) int {
		if q.Sort == "ts" {
			return cmp.Compare(a.LastSeen, b.LastSeen)
		}
		return cmp.Compare(b.LastSeen, a.LastSeen)
	})
	start := min(q.offset, len(found))
	end := start + min(q.Limit, len(found)-start)
	items := []contextRecord{}
	for _, c := range found[start:end] {
		items = append(items, contextRecord{
			LastSeen: time.UnixMilli(c.LastSeen).UTC().Format(time.RFC3339Nano), ApplicationID: c.ApplicationID, Context: c.rep(),
			Links: links{"self": linkTo("projects", c.Project, "environments", c.Env, "contexts", c.Kind, c.Key)},
		})
	}
	l := links{"self": requestLink(r, r.URL.Query())}
	out := map[string]any{"items": items, "_environmentId": e.ID, "_links": l}
	if end < len(found) {
		token := base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(end)))
		out["continuationToken"] = token
		l["next"] = requestLink(r, q.next(r, token))
	}
	if r.URL.Query().Get("includeTotalCount") != "false" {
		out["totalCount"] = len(found)
	}
	send(w, http.StatusOK, out)
}

// next is the query of the following page.
func (q contextQuery) next(r *http.Request, token string) url.Values {
	v := r.URL.Query()
	v.Set("limit", strconv.Itoa(q.Limit))
	v.Set("continuationToken", token)
	for name, s := range map[string]string{"filter": q.Filter, "sort": q.Sort} {
		if s != "" {
			v.Set(name, s)
		}
	}
	return v
}

func (c *seenContext) rep() map[string]any {
	out := maps.Clone(c.Attributes)
	if out == nil {
		out = map[string]any{}
	}
	out["kind"], out["key"] = c.Kind, c.Key
	if len(c.Redacted) > 0 {
		out["_meta"] = map[string]any{"redactedAttributes": c.Redacted}
	}
	return out
}

// holds tells whether one condition of a filter is true of c.
func (c *seenContext) holds(f condition) (bool, error) {
	switch f.field {
	case "applicationId":
		return f.compare(c.ApplicationID)
	case "key":
		return f.compare(c.Key)
	case "kind", "kinds":
		return f.compare(c.Kind)
	case "kindKey", "kindKeys":
		return f.compare(c.Kind + ":" + c.Key)
	case "name":
		return f.compare(text(c.Attributes["name"]))
	case "q":
		return containsFold(c.Key, f.values[0]) || slices.ContainsFunc(slices.Collect(maps.Values(c.Attributes)), func(v any) bool {
			s, ok := v.(string)
			return ok && containsFold(s, f.values[0])
		}), nil
	}
	kind, attribute, ok := strings.Cut(f.field, ".")
	if !ok {
		return false, fmt.Errorf("invalid filter field %q", f.field)
	}
	value, found := c.attribute(attribute)
	if kind != "*" && kind != c.Kind {
		found = false
	}
	if f.op == "exists" {
		return found == (f.values[0] == "true"), nil
	}
	if list, ok := value.([]any); ok && found {
		for _, v := range list {
			if ok, err := f.compare(text(v)); ok || err != nil {
				return ok, err
			}
		}
		return false, nil
	}
	holds, err := f.compare(text(value))
	return holds && found, err
}

// attribute looks up an attribute by name, or by JSON pointer.
func (c *seenContext) attribute(name string) (any, bool) {
	if name == "key" {
		return c.Key, true
	}
	pointer, ok := strings.CutPrefix(name, "/")
	if !ok {
		v, ok := c.Attributes[name]
		return v, ok
	}
	var value any = c.Attributes
	for step := range strings.SplitSeq(pointer, "/") {
		object, ok := value.(map[string]any)
		if !ok {
			return nil, false
		}
		if value, ok = object[strings.NewReplacer("~1", "/", "~0", "~").Replace(step)]; !ok {
			return nil, false
		}
	}
	return value, true
}

func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case map[string]any, []any:
		b, _ := json.Marshal(v)
		return string(b)
	}
	return fmt.Sprint(v)
}

// countAttributes gives, per kind in order, how many contexts have each name that pick returns.
func (a *Account) countAttributes(r *http.Request, p *project, e *environment, startsWith string, pick func(*seenContext) []any) ([]string, map[string][]weighted, error) {
	filter, err := parseExpression(r.URL.Query().Get("filter"))
	if err != nil {
		return nil, nil, err
	}
	limit, err := countParam(r, "limit")
	if err == nil && limit > 100 {
		err = fmt.Errorf("invalid limit %d: it must be at most 100", limit)
	}
	if err != nil {
		return nil, nil, err
	}
	counts := map[string][]weighted{}
	for _, c := range a.seenIn(p, e) {
		for _, name := range pick(c) {
			ok, err := filter.match(func(f condition) (bool, error) {
				switch f.field + " " + f.op {
				case "kind equals":
					return f.compare(c.Kind)
				case startsWith + " startsWith":
					return f.compare(text(name))
				}
				return false, fmt.Errorf("invalid filter %s %s", f.field, f.op)
			})
			if err != nil {
				return nil, nil, err
			}
			if !ok {
				continue
			}
			list := counts[c.Kind]
			i := slices.IndexFunc(list, func(w weighted) bool { return text(w.Name) == text(name) })
			if i < 0 {
				i = len(list)
				list = append(list, weighted{Name: name})
			}
			list[i].Weight++
			counts[c.Kind] = list
		}
	}
	for kind, list := range counts {
		slices.SortFunc(list, func(a, b weighted) int {
			return cmp.Or(cmp.Compare(b.Weight, a.Weight), cmp.Compare(text(a.Name), text(b.Name)))
		})
		if limit > 0 && len(list) > limit {
			counts[kind] = list[:limit]
		}
	}
	return slices.Sorted(maps.Keys(counts)), counts, nil
}

type weighted struct {
	Name     any  `json:"name"`
	Weight   int  `json:"weight"`
	Redacted bool `json:"redacted,omitempty"`
}

func (a *Account) contextAttributes(w http.ResponseWriter, r *http.Request, p *project, e *environment) {
	a.sendCounts(w, r, p, e, "name", "names", func(c *seenContext) []any {
		var names []any
		for _, name := range slices.Concat(slices.Sorted(maps.Keys(c.Attributes)), c.Redacted) {
			names = append(names, name)
		}
		return names
	})
}

func (a *Account) contextValues(w http.ResponseWriter, r *http.Request, p *project, e *environment) {
	a.sendCounts(w, r, p, e, "value", "values", func(c *seenContext) []any {
		value, ok := c.attribute(r.PathValue("attribute"))
		if !ok {
			return nil
		}
		if list, ok := value.([]any); ok {
			return list
		}
		return []any{value}
	})
}

func (a *Account) sendCounts(w http.ResponseWriter, r *http.Request, p *project, e *environment, one, many string, pick func(*seenContext) []any) {
	kinds, counts, err := a.countAttributes(r, p, e, one, pick)
	if err != nil {
		badRequest(w, err)
		return
	}
	items := []map[string]any{}
	for _, kind := range kinds {
		list := counts[kind]
		for i := range list {
			list[i].Redacted = one == "name" && slices.ContainsFunc(a.seenIn(p, e), func(c *seenContext) bool {
				return c.Kind == kind && slices.Contains(c.Redacted, text(list[i].Name))
			})
		}
		items = append(items, map[string]any{"kind": kind, many: list})
	}
	send(w, http.StatusOK, map[string]any{"items": items})
}

type contextKindRep struct {
	Links        links  `json:"_links"`
	Key          string `json:"key"`
	Name         string `json:"name"`
	Description  string `json:"description"`
	Version      int    `json:"version"`
	CreationDate int64  `json:"creationDate"`
	LastModified int64  `json:"lastModified"`
	LastSeen     int64  `json:"lastSeen,omitempty"`
	CreatedFrom  string `json:"createdFrom"`
	Hidden       bool   `json:"hideInTargeting"`
	Archived     bool   `json:"archived"`
}

func (a *Account) contextKinds(w http.ResponseWriter, r *http.Request) {
	p := a.project(w, r)
	if p == nil {
		return
	}
	lastSeen := map[string]int64{"user": 0}
	for _, c := range a.contexts {
		if c.Project == p.Key {
			lastSeen[c.Kind] = max(lastSeen[c.Kind], c.LastSeen)
		}
	}
	reps := []contextKindRep{}
	for _, kind := range slices.Sorted(maps.Keys(lastSeen)) {
		rep := contextKindRep{
			Links: links{"self": linkTo("projects", p.Key, "context-kinds", kind)}, Key: kind, Name: kind, Version: 1,
			CreationDate: p.Created, LastModified: p.Created, LastSeen: lastSeen[kind], CreatedFrom: "auto-add",
		}
		if kind == "user" {
			rep.CreatedFrom = "default"
		}
		reps = append(reps, rep)
	}
	send(w, http.StatusOK, map[string]any{"items": reps, "_links": links{"self": linkTo("projects", p.Key, "context-kinds")}})
}
