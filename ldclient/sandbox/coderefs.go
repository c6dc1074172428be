package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

func (a *Account) codeReferenceRoutes() {
	a.route("GET /code-refs/repositories", a.listRepositories)
	a.route("GET /code-refs/repositories/{repo}", a.getRepository)
	a.route("GET /code-refs/extinctions", a.listExtinctions)
	a.route("GET /code-refs/statistics", a.statisticsRoot)
	a.route("GET /code-refs/statistics/{project}", a.statistics)
}

type repositoryRep struct {
	Links             links       `json:"_links"`
	Name              string      `json:"name"`
	Type              string      `json:"type"`
	SourceLink        string      `json:"sourceLink"`
	CommitURLTemplate string      `json:"commitUrlTemplate"`
	HunkURLTemplate   string      `json:"hunkUrlTemplate"`
	DefaultBranch     string      `json:"defaultBranch"`
	Enabled           bool        `json:"enabled"`
	Version           int         `json:"version"`
	Branches          []branchRep `json:"branches,omitempty"`
}

type branchRep struct {
	Links            links          `json:"_links"`
	Name             string         `json:"name"`
	Head             string         `json:"head"`
	UpdateSequenceID int64          `json:"updateSequenceId"`
	SyncTime         int64          `json:"syncTime"`
	References       []referenceRep `json:"references,omitempty"`
}

type referenceRep struct {
	Path  string    `json:"path"`
	Hint  string    `json:"hint,omitempty"`
	Hunks []hunkRep `json:"hunks"`
}

type hunkRep struct {
	StartingLineNumber int      `json:"startingLineNumber"`
	Lines              string   `json:"lines,omitempty"`
	ProjKey            string   `json:"projKey"`
	FlagKey            string   `json:"flagKey"`
	Aliases            []string `json:"aliases,omitempty"`
}

func (x *repository) rep() repositoryRep {
	return repositoryRep{
		Links: links{"self": linkTo("code-refs", "repositories", x.Name), "branches": linkTo("code-refs", "repositories", x.Name, "branches")},
		Name:  x.Name, Type: x.Type, SourceLink: x.SourceLink, DefaultBranch: x.DefaultBranch, Enabled: true, Version: 3,
		CommitURLTemplate: x.SourceLink + "/commit/${sha}",
		HunkURLTemplate:   x.SourceLink + "/blob/${sha}/${filePath}#L${lineNumber}",
	}
}

func (x *repository) branch() branchRep {
	return branchRep{
		Links: links{"self": linkTo("code-refs", "repositories", x.Name, "branches", x.DefaultBranch)},
		Name:  x.DefaultBranch, Head: x.Head, UpdateSequenceID: 25, SyncTime: x.Updated,
	}
}

// references are those to one project and flag; an empty key is any.
func (x *repository) references(projectKey, flagKey string) []referenceRep {
	var out []referenceRep
	for _, c := range x.References {
		if projectKey != "" && c.Project != projectKey || flagKey != "" && c.Flag != flagKey {
			continue
		}
		i := slices.IndexFunc(out, func(r referenceRep) bool { return r.Path == c.Path })
		if i < 0 {
			i = len(out)
			_, extension, _ := strings.Cut(c.Path, ".")
			out = append(out, referenceRep{Path: c.Path, Hint: extension})
		}
		out[i].Hunks = append(out[i].Hunks, hunkRep{c.Line, c.Lines, c.Project, c.Flag, c.Aliases})
	}
	return out
}

func (a *Account) listRepositories(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	reps := []repositoryRep{}
	for _, x := range a.repos {
		rep := x.rep()
		if withReferences := q.Get("withReferencesForDefaultBranch") != ""; withReferences || q.Get("withBranches") != "" {
			b := x.branch()
			if withReferences {
				b.References = x.references(q.Get("projKey"), q.Get("flagKey"))
			}
			rep.Branches = []branchRep{b}
		}
		reps = append(reps, rep)
	}
	send(w, http.StatusOK, map[string]any{"items": reps, "_links": links{"self": requestLink(r, q)}})
}

func (a *Account) getRepository(w http.ResponseWriter, r *http.Request) {
	i := slices.IndexFunc(a.repos, func(x *repository) bool { return x.Name == r.PathValue("repo") })
	if i < 0 {
		fail(w, http.StatusNotFound, "not_found", "Unknown repository")
		return
	}
	rep := a.repos[i].rep()
	rep.Branches = []branchRep{a.repos[i].branch()}
	send(w, http.StatusOK, rep)
}

func (a *Account) statisticsRoot(w http.ResponseWriter, r *http.Request) {
	projects := []link{}
	for _, p := range a.projects {
		projects = append(projects, linkTo("code-refs", "statistics", p.Key))
	}
	send(w, http.StatusOK, map[string]any{"projects": projects, "self": linkTo("code-refs", "statistics")})
}

type statisticRep struct {
	Links            links  `json:"_links"`
	Name             string `json:"name"`
	Type             string `json:"type"`
	SourceLink       string `json:"sourceLink"`
	DefaultBranch    string `json:"defaultBranch"`
	Enabled          bool   `json:"enabled"`
	Version          int    `json:"version"`
	HunkCount        int    `json:"hunkCount"`
	FileCount        int    `json:"fileCount"`
	LatestCommitTime int64  `json:"latestCommitTime,omitempty"`
}

func (a *Account) statistics(w http.ResponseWriter, r *http.Request) {
	p := a.project(w, r)
	if p == nil {
		return
	}
	want := r.URL.Query().Get("flagKey")
	flags := map[string][]statisticRep{}
	for _, x := range a.repos {
		rep := x.rep()
		for _, c := range x.References {
			if c.Project != p.Key || want != "" && c.Flag != want {
				continue
			}
			list := flags[c.Flag]
			if len(list) > 0 && list[len(list)-1].Name == x.Name {
				continue
			}
			files := x.references(p.Key, c.Flag)
			s := statisticRep{
				Links: rep.Links, Name: rep.Name, Type: rep.Type, SourceLink: rep.SourceLink, DefaultBranch: rep.DefaultBranch,
				Enabled: rep.Enabled, Version: rep.Version, FileCount: len(files), LatestCommitTime: x.Updated,
			}
			for _, f := range files {
				s.HunkCount += len(f.Hunks)
			}
			flags[c.Flag] = append(list, s)
		}
	}
	if want != "" && !slices.ContainsFunc(p.Flags, func(f *flag) bool { return f.Key == want }) {
		fail(w, http.StatusNotFound, "not_found", fmt.Sprintf("Unknown flag key %s", want))
		return
	}
	send(w, http.StatusOK, map[string]any{"flags": flags, "_links": links{"self": requestLink(r, r.URL.Query())}})
}
