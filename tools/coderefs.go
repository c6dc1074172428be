package tools

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

var codeReferences = Toolset{
	Name: "code-references", Doc: "Find where code uses flags.",
	Tools: []Tool{getCodeReferences, listCodeRepositories, getFlagExtinctions},
}

type codeReferencesIn struct {
	Repository string     `json:"repository"`
	Branch     string     `json:"branch,omitempty"`
	Scanned    string     `json:"scanned,omitempty" doc:"when the branch was last reported"`
	Files      int        `json:"filesCount"`
	References int        `json:"referencesCount"`
	First      []codeFile `json:"files" doc:"ten of them"`
}

type codeFile struct {
	Path    string   `json:"path"`
	Lines   []int    `json:"lines" doc:"where pieces of code begin, the first ten"`
	Code    string   `json:"code,omitempty" doc:"beginning of the first piece"`
	Aliases []string `json:"aliases,omitempty" doc:"other names of the flag in the code"`
	URL     string   `json:"url,omitempty"`
}

// codePage is a page of repositories whose code can be left out.
type codePage struct{ page[codeReferencesIn] }

func (p codePage) shorten(items int) (any, int) {
	cut, had := p.page.shorten(items)
	return codePage{cut.(page[codeReferencesIn])}, had
}

// lighten leaves the code out.
func (p codePage) lighten() (any, bool) {
	p.Items = slices.Clone(p.Items)
	for i, r := range p.Items {
		files := slices.Clone(r.First)
		for n := range files {
			files[n].Code, files[n].URL = "", ""
		}
		p.Items[i].First = files
	}
	return p, true
}

var getCodeReferences = read(Spec{
	Name: "get-code-references", Title: "Get code references",
	On:  "acct", // what is not part of the project itself may be shown without it
	Doc: "Show where code uses a flag: repositories, files and lines of default branches. A key that code puts together is not found.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atFlag
	Repository  string `json:"repository,omitempty" alias:"repo,repoName"`
	FilesOffset int    `json:"filesOffset,omitempty" jsonschema:"minimum=0,maximum=1000000" told:"true" doc:"Files to skip in each repository; a reply shows ten"`
	paged
}) (codePage, error) {
	repositories, err := ld.CodeRefs.References(ctx, in.Project, in.Flag)
	if err != nil {
		return codePage{}, err
	}
	var all []codeReferencesIn
	for i := range repositories {
		r := &repositories[i]
		for _, b := range r.Branches {
			if len(b.References) > 0 && (in.Repository == "" || r.Name == in.Repository) {
				all = append(all, codeReferencesOf(r, b, in.FilesOffset))
			}
		}
	}
	out := codePage{page[codeReferencesIn]{Items: []codeReferencesIn{}}}
	if len(all) == 0 { // which LaunchDarkly also answers where there is no such flag
		if _, err := ld.Flags.StatusAcross(ctx, in.Project, in.Flag); err != nil {
			return codePage{}, err
		}
		names := keysOf(repositories, func(r ldclient.Repository) string { return r.Name })
		switch {
		case len(names) == 0:
			out.Note = "No repository is connected to LaunchDarkly, so nothing is known of code references."
		case in.Repository != "" && !slices.Contains(names, in.Repository):
			return codePage{}, absent("repository", in.Repository, names)
		default:
			out.Note = fmt.Sprintf("None in %s.", listed(ten(names, 0), len(names)))
		}
		return out, nil
	}
	out.page = pageWithin(all, in.paged, func(r codeReferencesIn) codeReferencesIn { return r })
	return out, nil
})

func codeReferencesOf(r *ldclient.Repository, b ldclient.Branch, skip int) codeReferencesIn {
	out := codeReferencesIn{Repository: r.Name, Branch: b.Name, Scanned: b.SyncTime.String(), Files: len(b.References), First: []codeFile{}}
	for _, f := range b.References {
		out.References += len(f.Hunks)
	}
	for _, f := range ten(b.References, skip) {
		file := codeFile{Path: f.Path, Lines: []int{}}
		for _, h := range f.Hunks {
			if len(file.Lines) < firstOf {
				file.Lines = append(file.Lines, h.StartingLine)
			}
			for _, alias := range h.Aliases {
				if !slices.Contains(file.Aliases, alias) && len(file.Aliases) < firstOf {
					file.Aliases = append(file.Aliases, alias)
				}
			}
		}
		if len(f.Hunks) > 0 {
			file.Code = short(f.Hunks[0].Lines, 200)
			file.URL = r.HunkURL(b.Head, f.Path, f.Hunks[0].StartingLine)
		}
		out.First = append(out.First, file)
	}
	return out
}

type repositoryRow struct {
	Name          string `json:"name"`
	Type          string `json:"type"`
	URL           string `json:"url,omitempty"`
	DefaultBranch string `json:"defaultBranch,omitempty"`
	Disabled      bool   `json:"disabled,omitempty" doc:"its references are not shown"`
}

var listCodeRepositories = read(Spec{
	Name: "list-code-repositories", Title: "List code repositories",
	Doc: "List the repositories that report to LaunchDarkly where their code uses flags.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	Query string `json:"query,omitempty" alias:"search" told:"true" doc:"Part of a name"`
	paged
}) (page[repositoryRow], error) {
	all, err := ld.CodeRefs.Repositories(ctx)
	if err != nil {
		return page[repositoryRow]{}, err
	}
	all = slices.DeleteFunc(all, func(r ldclient.Repository) bool {
		return !strings.Contains(strings.ToLower(r.Name), strings.ToLower(in.Query))
	})
	return pageWithin(all, in.paged, func(r ldclient.Repository) repositoryRow {
		return repositoryRow{r.Name, r.Type, r.SourceLink, r.DefaultBranch, !r.Enabled}
	}), nil
})

type extinctionRow struct {
	Flag     string `json:"flagKey"`
	Time     string `json:"time"`
	Revision string `json:"revision" doc:"commit"`
	Message  string `json:"message,omitempty"`
}

var getFlagExtinctions = read(Spec{
	Name: "get-flag-extinctions", Title: "Get flag extinctions",
	On:  "acct", // what is not part of the project itself may be shown without it
	Doc: "List the commits that removed the last code reference to a flag, newest first.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	oneOrAllFlags
	Repository string `json:"repository,omitempty" alias:"repo,repoName"`
	Branch     string `json:"branch,omitempty" alias:"branchName" doc:"Default branches if not given"`
	After      string `json:"after,omitempty" alias:"since,from" told:"true" doc:"Only later ones: a time (RFC 3339 or ms) or an age such as 7d"`
	Before     string `json:"before,omitempty" alias:"until,to" told:"true" doc:"Only earlier ones: a time or an age"`
	paged
}) (page[extinctionRow], error) {
	q := ldclient.ExtinctionQuery{Project: in.Project, Flag: in.Flag, Repository: in.Repository, Branch: in.Branch}
	var err error
	if q.From, err = instant("after", in.After); err != nil {
		return page[extinctionRow]{}, err
	}
	if q.To, err = instant("before", in.Before); err != nil {
		return page[extinctionRow]{}, err
	}
	if q.From > 0 && q.To == 0 { // LaunchDarkly wants both or none
		q.To = ldclient.Millis(present(ld).Add(oneDay).UnixMilli())
	}
	if q.From == 0 && q.To > 0 {
		q.From = 1
	}
	if q.From > q.To {
		return page[extinctionRow]{}, badf("after (%s) lies behind before (%s)", q.From, q.To)
	}
	all, err := ld.CodeRefs.Extinctions(ctx, q)
	if err != nil {
		return page[extinctionRow]{}, err
	}
	all = slices.DeleteFunc(all, func(e ldclient.Extinction) bool { return e.Project != "" && e.Project != in.Project })
	if len(all) == 0 && in.Flag != "" {
		if _, err := ld.Flags.StatusAcross(ctx, in.Project, in.Flag); err != nil {
			return page[extinctionRow]{}, err
		}
	}
	return pageWithin(all, in.paged, func(e ldclient.Extinction) extinctionRow {
		return extinctionRow{e.Flag, e.Time.String(), e.Revision, short(e.Message, 200)}
	}), nil
})
