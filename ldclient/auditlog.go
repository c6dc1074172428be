package ldclient

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"

	"github.com/ld-mcp/ld-mcp/ldclient/policy"
)

// AuditLogService reads the audit log.
type AuditLogService service

// MaxAuditLimit is the largest page of the audit log, which has no offset.
const MaxAuditLimit = 20

// AuditEntry is one change in the audit log.
type AuditEntry struct {
	ID       string   `json:"_id"`
	Date     Millis   `json:"date"`
	Accesses []Access `json:"accesses"`
	Kind     string   `json:"kind"` // flag, segment, environment, ...
	Name     string   `json:"name"`
	Text     string   `json:"description"` // Markdown
	Short    string   `json:"shortDescription"`
	Comment  string   `json:"comment"`
	Member   *Person  `json:"member"` // who changed it; nil for a service token or an app
	Token    *struct {
		Name string `json:"name"`
	} `json:"token"`
	App *struct {
		Name string `json:"name"`
	} `json:"app"`
	TitleVerb string `json:"titleVerb"`
	Target    struct {
		Name      string   `json:"name"`
		Resources []string `json:"resources"`
	} `json:"target"`
	Previous json.RawMessage `json:"previousVersion"` // only when one entry is read
	Current  json.RawMessage `json:"currentVersion"`  // only when one entry is read
}

func (e *AuditEntry) missing() string {
	if e.ID == "" {
		return "audit log entry"
	}
	return ""
}

// Access is one action that a change took on one resource.
type Access struct {
	Action   string `json:"action"`
	Resource string `json:"resource"`
}

// AuditQuery filters the audit log. Its times are exclusive.
type AuditQuery struct {
	Before, After Millis
	Text          string // part of a name
	Limit         int    // at most MaxAuditLimit
	// Statements are policy statements that an entry must match; with none, every entry does.
	Statements []Statement
}

// Statement is a statement of LaunchDarkly's policy language.
type Statement = policy.Statement

// Search returns one page of the audit log, newest first.
func (s *AuditLogService) Search(ctx context.Context, o AuditQuery) (*Page[AuditEntry], error) {
	q := url.Values{}
	set := func(name string, n int64) {
		if n > 0 {
			q.Set(name, strconv.FormatInt(n, 10))
		}
	}
	set("before", int64(o.Before))
	set("after", int64(o.After))
	set("limit", int64(min(o.Limit, MaxAuditLimit)))
	if o.Text != "" {
		q.Set("q", o.Text)
	}
	if len(o.Statements) == 0 {
		return get[Page[AuditEntry]](ctx, s.c, Target{}, path("auditlog"), q)
	}
	return search[Page[AuditEntry]](ctx, s.c, Target{}, path("auditlog"), q, o.Statements)
}

// Get returns one entry with the resource before and after it, either of which may be absent.
func (s *AuditLogService) Get(ctx context.Context, id string) (*AuditEntry, error) {
	return get[AuditEntry](ctx, s.c, Target{}, path("auditlog", id), nil)
}
