package tools

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/internal/pattern"
	"github.com/ld-mcp/ld-mcp/ldclient"
)

// changeRow is one entry of the audit log below what it changed.
type changeRow struct {
	ID      string `json:"_id" doc:"of the audit log entry; undoing it wants this"`
	Time    string `json:"time"`
	By      string `json:"by,omitempty"`
	Token   string `json:"token,omitempty" doc:"name of the member's token that was used"`
	Did     string `json:"did" doc:"what was done"`
	Comment string `json:"comment,omitempty"`
	Envs    string `json:"environment,omitempty" doc:"all: the flag or segment as a whole"`
}

func changeRowOf(e ldclient.AuditEntry) changeRow {
	row := auditRowOf(e)
	out := changeRow{ID: row.ID, Time: row.Time, By: row.By, Token: row.Token, Did: plain(e.Text), Comment: short(row.Comment, 300)}
	if out.Did == "" {
		out.Did = row.Did
	}
	return out
}

var (
	mdLink = pattern.Of(`\[([^\]]*)\]\([^)]*\)`)
	mdMark = strings.NewReplacer("**", "", "`", "")
)

// plain writes the Markdown of an audit log entry on one line.
func plain(markdown string) string {
	var out []string
	for line := range strings.Lines(short(markdown, 4000)) {
		line = mdMark.Replace(mdLink().ReplaceAllString(line, "$1"))
		if line = clean(strings.TrimLeft(line, " \t*-#")); line != "" {
			out = append(out, line)
		}
	}
	return short(strings.Join(out, "; "), 400)
}

// environmentsOf names the environments that an entry is about; * is all of them.
func environmentsOf(e ldclient.AuditEntry) []string {
	var out []string
	for _, r := range resourcesOf(e) {
		for part := range strings.SplitSeq(r, ":") {
			if name, ok := strings.CutPrefix(part, "env/"); ok {
				name, _, _ = strings.Cut(name, ";")
				if !slices.Contains(out, name) {
					out = append(out, name)
				}
			}
		}
	}
	return out
}

// resourcesOf lists the resources that an entry is about, most important first.
func resourcesOf(e ldclient.AuditEntry) []string {
	out := slices.Clone(e.Target.Resources)
	for _, a := range e.Accesses {
		if !slices.Contains(out, a.Resource) {
			out = append(out, a.Resource)
		}
	}
	return out
}

// flagHistory is a part of a flag's timeline.
type flagHistory struct {
	Items     []changeRow  `json:"items"`
	Touched   []touchedRow `json:"lastTouched,omitempty" doc:"on the first page: the newest change of each environment"`
	Untouched []string     `json:"untouched,omitempty" doc:"environments without a change of their own, the first ten"`
	Next      string       `json:"nextCursor,omitempty" doc:"Pass as cursor for older changes"`
	Notes     []string     `json:"notes,omitempty"`
	page      auditPage
}

// touchedRow is who changed a flag last in one environment.
type touchedRow struct {
	Environment string `json:"environment"`
	ID          string `json:"_id"`
	Time        string `json:"time"`
	By          string `json:"by,omitempty"`
	Did         string `json:"did"`
}

// shorten keeps the first changes; the cursor then points behind the last one kept.
func (h flagHistory) shorten(items int) (any, int) {
	had := len(h.Items)
	if items < had {
		cut, _ := h.page.shorten(items)
		p := cut.(auditPage)
		h.Items, h.Next = h.Items[:items], p.Next
		h.Notes = append(slices.Clone(h.Notes), p.Note)
	}
	return h, had
}

// maxTouchPages bounds how far back the last change of each environment is looked for.
const maxTouchPages = 10

var getFlagHistory = read(Spec{
	Name: "get-flag-history", Title: "Get a flag's history",
	On:  "acct", // what is not part of the project itself may be shown without it
	Doc: "Read one flag's changes, newest first: when, who, what and why.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atFlag
	Environment string `json:"environmentKey,omitempty" alias:"env,environment" default:"-" doc:"All if not given"`
	After       string `json:"after,omitempty" alias:"since,from,startDate" told:"true" doc:"Only later ones: a time (RFC 3339 or ms) or an age such as 90m, 24h, 7d"`
	Before      string `json:"before,omitempty" alias:"until,to,endDate" told:"true" doc:"Only earlier ones: a time or an age"`
	Limit       int    `json:"limit,omitempty" jsonschema:"minimum=1,maximum=100" default:"20" told:"true" doc:"1 to 100, 20 if not given"`
	Cursor      string `json:"cursor,omitempty" told:"true" doc:"nextCursor of the last reply"`
}) (flagHistory, error) {
	w, err := auditWalkOf(ld, in.Project, in.Environment, in.Flag, in.After, in.Before)
	if err != nil {
		return flagHistory{}, err
	}
	if w.at, err = parseCursor(in.Cursor); err != nil {
		return flagHistory{}, err
	}
	out := flagHistory{Items: []changeRow{}}
	last := map[string]touchedRow{}
	touch := func(e ldclient.AuditEntry) {
		row := changeRowOf(e)
		for _, env := range environmentsOf(e) {
			if _, ok := last[env]; !ok && env != "*" {
				last[env] = touchedRow{env, row.ID, row.Time, row.By, row.Did}
				out.Touched = append(out.Touched, last[env])
			}
		}
	}
	w.limit, w.each = in.Limit, func(e ldclient.AuditEntry) {
		row := changeRowOf(e)
		row.Envs = strings.ReplaceAll(strings.Join(environmentsOf(e), ", "), "*", "all")
		out.Items = append(out.Items, row)
		touch(e)
	}
	if out.page, err = w.collect(ctx); err != nil {
		return flagHistory{}, err
	}
	out.Next = out.page.Next
	if out.page.Note != "" {
		out.Notes = append(out.Notes, out.page.Note)
	}
	if in.Cursor != "" || in.Environment != "" {
		out.Touched = nil
	}
	if in.Cursor == "" && len(out.Items) == 0 {
		if _, err := ld.Flags.Get(ctx, in.Project, in.Environment, in.Flag); err != nil {
			return flagHistory{}, err
		}
		out.Notes = append(out.Notes, "The flag has no such change.")
	}
	if in.Cursor != "" || in.Environment != "" || len(out.Items) == 0 {
		return out, nil
	}
	envs, err := ld.Environments.All(ctx, in.Project)
	if err != nil {
		out.Notes = append(out.Notes, fmt.Sprintf("The project's environments could not be read (%s), so lastTouched may leave some out.", short(clean(err.Error()), 200)))
		return out, nil
	}
	keys := slices.DeleteFunc(keysOf(envs, func(e ldclient.Environment) string { return e.Key }), func(k string) bool { return !ld.Scope().AllowsEnvironment(k) })
	unseen := func() []string {
		return slices.DeleteFunc(slices.Clone(keys), func(k string) bool { _, ok := last[k]; return ok })
	}
	w.limit, w.each = ldclient.MaxAuditLimit, touch
	next := out.Next
	for range maxTouchPages {
		if next == "" || len(unseen()) == 0 {
			break
		}
		if w.at, err = parseCursor(next); err != nil {
			return flagHistory{}, err
		}
		older, err := w.collect(ctx)
		if err != nil {
			out.Notes = append(out.Notes, fmt.Sprintf("Older changes could not be read (%s), so lastTouched may leave some out.", short(clean(err.Error()), 200)))
			break
		}
		next = older.Next
	}
	rest := unseen()
	out.Untouched = ten(rest, 0)
	if next != "" && len(rest) > 0 {
		at, _ := parseCursor(next)
		out.Notes = append(out.Notes, fmt.Sprintf("Who last touched the untouched ones was looked for back to %s only.", at.at))
	}
	return out, nil
})

// auditWalkOf prepares to read what a call asks about.
func auditWalkOf(ld *ldclient.Client, project, environment, flag, after, before string) (auditWalk, error) {
	w := auditWalk{ld: ld}
	resources, err := auditResources(ld.Scope(), project, environment, flag, "")
	if err != nil {
		return w, err
	}
	for _, r := range resources {
		w.query.Statements = append(w.query.Statements, ldclient.Statement{Effect: "allow", Resources: []string{r}, Actions: []string{"*"}})
	}
	if w.query.After, err = instant("after", after); err != nil {
		return w, err
	}
	if w.query.Before, err = instant("before", before); err != nil {
		return w, err
	}
	if w.query.Before > 0 && w.query.After >= w.query.Before {
		return w, badf("after (%s) must be earlier than before (%s)", w.query.After, w.query.Before)
	}
	return w, nil
}
