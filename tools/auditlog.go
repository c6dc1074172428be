package tools

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

var auditLog = Toolset{
	Name: "audit", Doc: "Who changed what, when and why.",
	Default: []string{"what-changed", "query-audit-log", "get-audit-log-entry"},
	Tools:   []Tool{whatChanged, getFlagHistory, queryAuditLog, getAuditLogEntry},
}

// auditRow is one change, in a list.
type auditRow struct {
	ID       string   `json:"_id"`
	Time     string   `json:"time"`
	By       string   `json:"by,omitempty" doc:"the member, or the token or app that acted alone"`
	Token    string   `json:"token,omitempty" doc:"name of the member's token that was used"`
	Did      string   `json:"did" doc:"what was done"`
	Resource string   `json:"resource,omitempty"`
	Actions  []string `json:"actions,omitempty" doc:"role actions"`
	Comment  string   `json:"comment,omitempty"`
}

func auditRowOf(e ldclient.AuditEntry) auditRow {
	row := auditRow{ID: e.ID, Time: e.Date.String(), By: e.Member.String(), Comment: e.Comment}
	switch {
	case e.Member != nil && e.Token != nil:
		row.Token = e.Token.Name
	case e.Token != nil:
		row.By = "token " + e.Token.Name
	case e.App != nil:
		row.By = "app " + e.App.Name
	}
	row.Did = strings.TrimSpace(e.TitleVerb + " " + e.Target.Name)
	if e.TitleVerb == "" {
		row.Did = short(e.Short, 200)
	}
	if len(e.Target.Resources) > 0 {
		row.Resource = e.Target.Resources[0]
	}
	for _, a := range e.Accesses {
		if row.Resource == "" {
			row.Resource = a.Resource
		}
		if !slices.Contains(row.Actions, a.Action) {
			row.Actions = append(row.Actions, a.Action)
		}
	}
	return row
}

// auditPage is part of the audit log, newest first.
type auditPage struct {
	Items []auditRow  `json:"items"`
	Next  string      `json:"nextCursor,omitempty" doc:"Pass as cursor for older entries"`
	Note  string      `json:"note,omitempty"`
	from  auditCursor // where this page begins
	dates []ldclient.Millis
}

// shorten keeps the first items; the cursor then points behind the last one kept.
func (p auditPage) shorten(items int) (any, int) {
	had := len(p.Items)
	if items < had {
		at := p.from
		for i := range items {
			at.pass(p.dates[i], p.Items[i].ID)
		}
		p.Items, p.Next = p.Items[:items], at.String()
		p.Note = strings.TrimSpace(fmt.Sprintf("%s Cut from %d items to fit; go on with nextCursor.", p.Note, had))
	}
	return p, had
}

// auditCursor is a position in the audit log, which LaunchDarkly can only page
// by time: the time of the last entry shown, and the ids shown of that very
// millisecond, since several entries can share one.
type auditCursor struct {
	at    ldclient.Millis
	shown []string
}

func (c *auditCursor) pass(at ldclient.Millis, id string) {
	if at != c.at {
		c.shown = nil
	}
	c.at, c.shown = at, append(slices.Clone(c.shown), id)
}

// passed tells whether an entry lies before the position.
func (c auditCursor) passed(e ldclient.AuditEntry) bool {
	return c.at > 0 && e.Date > c.at || e.Date == c.at && slices.Contains(c.shown, e.ID)
}

func (c auditCursor) String() string {
	if c.at == 0 {
		return ""
	}
	return strings.Join(append([]string{strconv.FormatInt(int64(c.at), 10)}, c.shown...), "~")
}

func parseCursor(s string) (auditCursor, error) {
	if s == "" {
		return auditCursor{}, nil
	}
	parts := strings.Split(s, "~")
	at, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil || at <= 0 {
		return auditCursor{}, badf("cursor must be the nextCursor of a reply")
	}
	return auditCursor{ldclient.Millis(at), parts[1:]}, nil
}

// maxAuditPages bounds how far one call reads when entries are filtered here.
const maxAuditPages = 15

var queryAuditLog = read(Spec{
	Name: "query-audit-log", Title: "Query the audit log", Aliases: []string{"get-audit-log-entries"},
	Doc: "Search the audit log, newest first: who changed what, when and why.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	Project     string   `json:"projectKey,omitempty" alias:"project"`
	Environment string   `json:"environmentKey,omitempty" alias:"env,environment" default:"-" doc:"All if not given"`
	Flag        string   `json:"flagKey,omitempty" alias:"flag"`
	Segment     string   `json:"segmentKey,omitempty" alias:"segment"`
	Actions     []string `json:"actions,omitempty" alias:"action" doc:"Such as updateOn"`
	Member      string   `json:"member,omitempty" doc:"Part of the name or email of who did it"`
	Query       string   `json:"query,omitempty" alias:"q,text" doc:"Part of the name of what changed"`
	After       string   `json:"after,omitempty" alias:"since,from,startDate" told:"true" doc:"Only later ones: a time (RFC 3339 or ms) or an age such as 90m, 24h, 7d"`
	Before      string   `json:"before,omitempty" alias:"until,to,endDate" told:"true" doc:"Only earlier ones: a time or an age"`
	Limit       int      `json:"limit,omitempty" jsonschema:"minimum=1,maximum=100" default:"20" told:"true" doc:"1 to 100, 20 if not given"`
	Cursor      string   `json:"cursor,omitempty" told:"true" doc:"nextCursor of the last reply"`
}) (auditPage, error) {
	var q ldclient.AuditQuery
	resources, err := auditResources(ld.Scope(), in.Project, in.Environment, in.Flag, in.Segment)
	if err != nil {
		return auditPage{}, err
	}
	if len(in.Actions) == 0 {
		in.Actions = []string{"*"}
	} else if len(resources) == 0 {
		resources = everyResource("*", []string{"*"})
	}
	for _, r := range resources { // one a statement, since all of a statement must be of one kind
		q.Statements = append(q.Statements, ldclient.Statement{Effect: "allow", Resources: []string{r}, Actions: in.Actions})
	}
	q.Text = in.Query
	if q.After, err = instant("after", in.After); err != nil {
		return auditPage{}, err
	}
	if q.Before, err = instant("before", in.Before); err != nil {
		return auditPage{}, err
	}
	at, err := parseCursor(in.Cursor)
	if err != nil {
		return auditPage{}, err
	}
	return auditWalk{ld: ld, query: q, member: strings.ToLower(in.Member), limit: in.Limit, at: at}.collect(ctx)
})

// auditWalk reads the audit log page by page, losing no entry and showing none twice.
type auditWalk struct {
	ld     *ldclient.Client
	query  ldclient.AuditQuery
	member string
	limit  int
	at     auditCursor
	each   func(ldclient.AuditEntry) // sees every entry that is collected
}

func (w auditWalk) collect(ctx context.Context) (auditPage, error) {
	out := auditPage{Items: []auditRow{}, from: w.at}
	for range maxAuditPages {
		if w.at.at > 0 {
			w.query.Before = w.at.at + 1 // exclusive: entries of that very ms come again and are dropped
		}
		w.query.Limit = ldclient.MaxAuditLimit
		if w.member == "" { // nothing is dropped here but what was shown already
			w.query.Limit = min(ldclient.MaxAuditLimit, w.limit-len(out.Items)+len(w.at.shown))
		}
		got, err := w.ld.AuditLog.Search(ctx, w.query)
		if err != nil {
			return out, err
		}
		slices.SortStableFunc(got.Items, func(a, b ldclient.AuditEntry) int { return cmp.Compare(b.Date, a.Date) })
		fresh, here := 0, false
		for _, e := range got.Items {
			here = here || e.Date == w.at.at
			if w.at.passed(e) {
				continue
			}
			if len(out.Items) == w.limit {
				out.Next = w.at.String()
				return out, nil
			}
			fresh++
			w.at.pass(e.Date, e.ID)
			if w.matches(e) {
				if w.each != nil {
					w.each(e)
				}
				out.Items, out.dates = append(out.Items, auditRowOf(e)), append(out.dates, e.Date)
			}
		}
		more := got.Links.Next != nil || len(got.Items) == w.query.Limit
		switch {
		case !more, len(got.Items) == 0:
			return out, nil
		case len(out.Items) == w.limit:
			out.Next = w.at.String()
			return out, nil
		case fresh == 0 && !here: // what is asked for makes no difference
			return out, nil
		case fresh == 0: // a full page of one ms, all shown: the API offers no way to the rest of it
			out.Note = "20 entries or more share one millisecond; LaunchDarkly does not show what is beyond 20."
			w.at = auditCursor{at: w.at.at - 1}
		}
	}
	out.Next = w.at.String()
	out.Note = strings.TrimSpace(out.Note + " Searched back to " + w.at.at.String() + "; go on with nextCursor.")
	return out, nil
}

func (w auditWalk) matches(e ldclient.AuditEntry) bool {
	if entryInScope(w.ld.Scope(), &e) != nil { // the scope's globs say more than specifiers can
		return false
	}
	if w.member == "" {
		return true
	}
	row := auditRowOf(e)
	return strings.Contains(strings.ToLower(row.By), w.member) || e.Member != nil && strings.Contains(strings.ToLower(e.Member.Email), w.member)
}

// auditResources writes what a call asks about as resource specifiers, cut to
// the server's scope.
func auditResources(scope ldclient.Scope, project, environment, flag, segment string) ([]string, error) {
	for _, key := range []string{project, environment, flag, segment} {
		if err := ldclient.CheckKey(key); key != "" && err != nil {
			return nil, badArguments(err.Error())
		}
	}
	if project == "" && environment+flag+segment != "" {
		return nil, badf("missing projectKey: it goes with environmentKey, flagKey and segmentKey")
	}
	if err := scope.Check(ldclient.Target{Project: project, Environment: environment}, false); err != nil {
		return nil, err
	}
	in, envs := []string{project}, []string{environment}
	if project == "" {
		if len(scope.Projects)+len(scope.Environments) == 0 {
			return nil, nil
		}
		if in = scope.Projects; len(in) == 0 {
			in = []string{"*"}
		}
	}
	if environment == "" {
		if envs = scope.Environments; len(envs) == 0 {
			envs = []string{"*"}
		}
	}
	in, envs = asSpecifiers(in), asSpecifiers(envs)
	var out []string
	for _, p := range in {
		if environment+flag+segment == "" {
			out = append(out, everyResource(p, envs)...)
			continue
		}
		for _, e := range envs {
			at := "proj/" + p + ":env/" + e
			if flag != "" {
				out = append(out, at+":flag/"+flag)
			}
			if segment != "" {
				out = append(out, at+":segment/"+segment)
			}
			if flag+segment == "" {
				out = append(out, inEvery(at)...)
			}
		}
	}
	return out, nil
}

// asSpecifiers replaces globs that specifiers cannot express by one that allows more.
func asSpecifiers(globs []string) []string {
	for _, g := range globs {
		if strings.ContainsAny(g, `?[\`) {
			return []string{"*"}
		}
	}
	return globs
}

// everyResource names every kind of resource in a project and its environments:
// LaunchDarkly's specifiers have no form for "everything below".
func everyResource(project string, envs []string) []string {
	p := "proj/" + project
	out := []string{p, p + ":metric/*", p + ":metric-group/*", p + ":aiconfig/*", p + ":layer/*"}
	for _, e := range envs {
		at := p + ":env/" + e
		out = append(out, inEvery(at)...)
	}
	return out
}

// inEvery names every kind of resource in an environment.
func inEvery(at string) []string {
	return []string{at, at + ":flag/*", at + ":segment/*", at + ":experiment/*", at + ":holdout/*", at + ":aiconfig/*"}
}

// instant reads a time (RFC 3339, a date, seconds or ms since the epoch) or an age such as 24h.
func instant(name, s string) (ldclient.Millis, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return 0, nil
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n >= 1e9 { // less is a year or a date, not a time
		if n < 1e11 { // ten digits are seconds
			n *= 1000
		}
		return ldclient.Millis(n), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return ldclient.Millis(t.UnixMilli()), nil
		}
	}
	age := strings.TrimPrefix(s, "-")
	if days, ok := strings.CutSuffix(age, "d"); ok {
		if n, err := strconv.ParseFloat(days, 64); err == nil {
			age = number(n*24) + "h"
		}
	}
	if d, err := time.ParseDuration(age); err == nil && d > 0 {
		return ldclient.Millis(time.Now().Add(-d).UnixMilli()), nil
	}
	return 0, badf("%s: must be a time such as 2026-03-01T12:00:00Z, or an age such as 24h or 7d, got %q", name, s)
}

type auditDetail struct {
	auditRow
	Text    string      `json:"text,omitempty" doc:"LaunchDarkly's own description"`
	Changes []fieldDiff `json:"changes,omitempty" doc:"what differs between before and after"`
	Count   int         `json:"changesCount"`
	Next    int         `json:"nextChangesOffset,omitempty" doc:"Set when there are more changes"`
	Note    string      `json:"note,omitempty"`
	offset  int
}

// shorten keeps the first changes.
func (d auditDetail) shorten(items int) (any, int) {
	had := len(d.Changes)
	if items < had {
		d.Changes, d.Next = d.Changes[:items], d.offset+items
		d.Text = short(d.Text, 200)
	}
	return d, had
}

var getAuditLogEntry = read(Spec{
	Name: "get-audit-log-entry", Title: "Get an audit log entry",
	Doc: "Read one entry of the audit log with what it changed, before and after.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	ID     string `json:"id" alias:"_id,entryId,auditLogEntryId"`
	Offset int    `json:"changesOffset,omitempty" jsonschema:"minimum=0,maximum=100000" told:"true" doc:"Changes to skip; a reply shows fifty"`
}) (auditDetail, error) {
	e, err := ld.AuditLog.Get(ctx, in.ID)
	if err != nil {
		return auditDetail{}, err
	}
	d := auditDetail{auditRow: auditRowOf(*e), Text: short(e.Text, 2000), offset: in.Offset}
	if err := entryInScope(ld.Scope(), e); err != nil {
		return auditDetail{}, err
	}
	was, is := decoded(e.Previous), decoded(e.Current)
	before, after := leaveOut(ld.Scope(), was), leaveOut(ld.Scope(), is)
	if before || after {
		d.Note = "Environments outside this server's scope are left out."
	}
	hideAddress(e.Kind, was)
	hideAddress(e.Kind, is)
	all := diff("", was, is)
	d.Count = len(all)
	d.Changes = all[min(in.Offset, len(all)):]
	if len(d.Changes) > 50 {
		d.Changes, d.Next = d.Changes[:50], in.Offset+50
	}
	return d, nil
})

// hideAddress leaves of the address that a webhook or an integration sends to what may be shown.
func hideAddress(kind string, version any) {
	fields, _ := version.(map[string]any)
	if _, ok := fields["url"].(string); !ok || kind != "webhook" && kind != "integration" {
		return
	}
	var shown ldclient.Address
	_ = json.Unmarshal(mustJSON(fields["url"]), &shown) // which hides what it cannot read
	fields["url"] = string(shown)
}

// entryInScope refuses an entry on a project or environment that this server may not touch.
func entryInScope(scope ldclient.Scope, e *ldclient.AuditEntry) error {
	if len(scope.Projects)+len(scope.Environments) == 0 {
		return nil
	}
	resources := slices.Clone(e.Target.Resources)
	for _, a := range e.Accesses {
		resources = append(resources, a.Resource)
	}
	if len(resources) == 0 {
		resources = []string{"acct/*"}
	}
	for _, r := range resources {
		var t ldclient.Target
		for part := range strings.SplitSeq(r, ":") {
			kind, name, _ := strings.Cut(part, "/")
			name, _, _ = strings.Cut(name, ";")
			switch {
			case kind == "proj":
				t.Project = name
			case kind == "env" && name != "*":
				t.Environment = name
			}
		}
		if t.Project == "" {
			return &ldclient.ScopeError{Reason: "this entry is not about a project, and this server's scope is limited to some"}
		}
		if err := scope.Check(t, false); err != nil {
			return err
		}
	}
	return nil
}
