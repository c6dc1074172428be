package ldclient

import (
	"cmp"
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// CodeRefsService reads where flags are used in code.
type CodeRefsService service

// Repository is a code repository that reports where it uses flags.
type Repository struct {
	Name          string   `json:"name"`
	Type          string   `json:"type"` // github, gitlab, bitbucket or custom
	SourceLink    string   `json:"sourceLink"`
	HunkTemplate  string   `json:"hunkUrlTemplate"`
	DefaultBranch string   `json:"defaultBranch"`
	Enabled       bool     `json:"enabled"`
	Branches      []Branch `json:"branches"` // only when they are asked for
}

// Branch is a branch of a repository as it was last reported.
type Branch struct {
	Name       string          `json:"name"`
	Head       string          `json:"head"` // commit
	SyncTime   Millis          `json:"syncTime"`
	References []FileReference `json:"references"`
}

// FileReference is a file that refers to flags.
type FileReference struct {
	Path  string `json:"path"`
	Hunks []Hunk `json:"hunks"`
}

// Hunk is a piece of a file that refers to one flag.
type Hunk struct {
	StartingLine int      `json:"startingLineNumber"`
	Lines        string   `json:"lines"`
	Project      string   `json:"projKey"`
	Flag         string   `json:"flagKey"`
	Aliases      []string `json:"aliases"`
}

// HunkURL is where a line of a file is shown, "" where the repository does not tell.
func (r *Repository) HunkURL(commit, file string, line int) string {
	if !strings.HasPrefix(r.HunkTemplate, "https://") {
		return ""
	}
	parts := strings.Split(file, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.NewReplacer("${sha}", url.PathEscape(commit), "${filePath}", strings.Join(parts, "/"), "${lineNumber}", strconv.Itoa(line)).Replace(r.HunkTemplate)
}

// Repositories returns every connected repository, without branches.
func (s *CodeRefsService) Repositories(ctx context.Context) ([]Repository, error) {
	got, err := get[Page[Repository]](ctx, s.c, Target{}, path("code-refs", "repositories"), nil)
	if err != nil {
		return nil, err
	}
	return got.Items, nil
}

// References returns every connected repository with what its default branch has of one flag.
func (s *CodeRefsService) References(ctx context.Context, project, flag string) ([]Repository, error) {
	q := url.Values{"withReferencesForDefaultBranch": {"1"}, "projKey": {project}, "flagKey": {flag}}
	got, err := get[Page[Repository]](ctx, s.c, flagAt(project, "", flag), path("code-refs", "repositories"), q)
	if err != nil {
		return nil, err
	}
	return got.Items, nil
}

// Usage is how much of a repository's default branch refers to one flag.
type Usage struct {
	Name         string `json:"name"`
	Hunks        int    `json:"hunkCount"`
	Files        int    `json:"fileCount"`
	LatestCommit Millis `json:"latestCommitTime"`
}

type usages struct {
	Flags map[string][]Usage `json:"flags"`
}

func (u *usages) missing() string {
	if u.Flags == nil {
		return "code reference statistics"
	}
	return ""
}

// Usages returns which repositories refer to one flag, and how much.
func (s *CodeRefsService) Usages(ctx context.Context, project, flag string) ([]Usage, error) {
	got, err := get[usages](ctx, s.c, flagAt(project, "", flag), path("code-refs", "statistics", project), url.Values{"flagKey": {flag}})
	if err != nil {
		return nil, err
	}
	return got.Flags[flag], nil
}

// Extinction is the commit that removed a flag's last reference from a branch.
type Extinction struct {
	Revision string `json:"revision"`
	Message  string `json:"message"`
	Time     Millis `json:"time"`
	Flag     string `json:"flagKey"`
	Project  string `json:"projKey"`
}

// ExtinctionQuery says which extinctions are wanted. From and To go together.
type ExtinctionQuery struct {
	Project, Flag, Repository string
	Branch                    string // default branches if ""
	From, To                  Millis
}

type extinctions struct {
	Items map[string]json.RawMessage `json:"items"`
}

func (e *extinctions) missing() string {
	if e.Items == nil {
		return "extinctions"
	}
	return ""
}

// Extinctions returns the extinctions of a project's flags, newest first.
func (s *CodeRefsService) Extinctions(ctx context.Context, o ExtinctionQuery) ([]Extinction, error) {
	q := url.Values{"projKey": {o.Project}}
	for name, value := range map[string]string{"flagKey": o.Flag, "repoName": o.Repository, "branchName": o.Branch} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if o.From > 0 || o.To > 0 {
		q.Set("from", strconv.FormatInt(int64(o.From), 10))
		q.Set("to", strconv.FormatInt(int64(o.To), 10))
	}
	got, err := get[extinctions](ctx, s.c, Target{Project: o.Project}, path("code-refs", "extinctions"), q)
	if err != nil {
		return nil, err
	}
	var out []Extinction
	for flag, raw := range got.Items { // by flag: a list, or a list of lists
		var list []Extinction
		var lists [][]Extinction
		if json.Unmarshal(raw, &list) != nil && json.Unmarshal(raw, &lists) == nil {
			list = slices.Concat(lists...)
		}
		for _, e := range list {
			e.Flag = cmp.Or(e.Flag, flag)
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b Extinction) int {
		return cmp.Or(cmp.Compare(b.Time, a.Time), cmp.Compare(a.Flag, b.Flag), cmp.Compare(a.Revision, b.Revision))
	})
	return out, nil
}
