package tools

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// snippetView is a version of a prompt snippet.
type snippetView struct {
	Key         string   `json:"key"`
	Name        string   `json:"name,omitempty"`
	Version     int      `json:"version"`
	Description string   `json:"description,omitempty"`
	Text        string   `json:"text,omitempty"`
	Tags        []string `json:"tags,omitempty"`
}

func snippetOf(s ldclient.PromptSnippet) snippetView {
	return snippetView{s.Key, s.Name, s.Version, s.Description, s.Text, s.Tags}
}

// differ leaves out what a change left as it was.
func (v *snippetView) differ(after *snippetView) {
	if v.Name == after.Name {
		v.Name, after.Name = "", ""
	}
	if v.Description == after.Description {
		v.Description, after.Description = "", ""
	}
	if v.Text == after.Text {
		v.Text, after.Text = "", ""
	}
	if slices.Equal(v.Tags, after.Tags) {
		v.Tags, after.Tags = nil, nil
	}
}

// listedText is how much of a text a list shows, in characters.
const listedText = 200

var listPromptSnippets = read(Spec{
	Name: "list-prompt-snippets", Title: "List prompt snippets",
	Doc: "List a project's prompt snippets: texts that AI configs share.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atProject
	paged
}) (page[snippetView], error) {
	got, err := manyPages(ctx, in.paged, func(ctx context.Context, p ldclient.Paging) (*ldclient.Page[ldclient.PromptSnippet], error) {
		return ld.PromptSnippets.List(ctx, in.Project, p)
	})
	if err != nil {
		return page[snippetView]{}, err
	}
	return pageOf(got, in.Offset, func(s ldclient.PromptSnippet) snippetView {
		v := snippetOf(s)
		v.Description, v.Text, v.Tags = short(v.Description, listedText), short(v.Text, listedText), ten(v.Tags, 0)
		return v
	}), nil
})

type atSnippet struct {
	Project string `json:"projectKey" alias:"project"`
	Snippet string `json:"snippetKey" alias:"key,snippet"`
}

func (a atSnippet) target() ldclient.Target {
	return ldclient.Target{Project: a.Project, Kind: "prompt-snippet", Key: a.Snippet}
}

type snippetDetail struct {
	snippetView
	Created string `json:"createdAt,omitempty" doc:"of this version"`
	usedBy
}

var getPromptSnippet = read(Spec{
	Name: "get-prompt-snippet", Title: "Get a prompt snippet",
	Doc: "Read a prompt snippet, and which AI config variations use it.",
}, func(ctx context.Context, ld *ldclient.Client, in struct{ atSnippet }) (snippetDetail, error) {
	s, err := snippetNamed(ctx, ld, in.atSnippet)
	if err != nil {
		return snippetDetail{}, err
	}
	return snippetDetail{snippetOf(*s), ldclient.Millis(s.CreatedAt).String(), snippetUses(ctx, ld, in.Project, in.Snippet).firstTen()}, nil
})

// snippetNamed reads a snippet; where there is none, it says which ones there are.
func snippetNamed(ctx context.Context, ld *ldclient.Client, at atSnippet) (*ldclient.PromptSnippet, error) {
	s, err := ld.PromptSnippets.Get(ctx, at.Project, at.Snippet)
	return s, orOthers(err, "prompt snippet", at.Snippet, func() ([]string, error) {
		return keysOn(func(s ldclient.PromptSnippet) string { return s.Key })(ld.PromptSnippets.List(ctx, at.Project, ldclient.Paging{Limit: upstreamPage}))
	})
}

// newSnippet names a snippet that is yet to be created.
type newSnippet struct {
	Project string `json:"projectKey" alias:"project"`
	Key     string `json:"key" alias:"snippetKey"`
}

func (a newSnippet) target() ldclient.Target {
	return ldclient.Target{Project: a.Project, Kind: "prompt-snippet", Key: a.Key}
}

var createPromptSnippet = create(Spec{
	Name: "create-prompt-snippet", Title: "Create a prompt snippet", Action: "createPromptSnippet",
	Doc: "Create a text that variations of AI configs can share.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	newSnippet
	Name        string   `json:"name"`
	Text        string   `json:"text" doc:"Goes into prompts"`
	Description string   `json:"description,omitempty"`
	Tags        []string `json:"tags,omitempty"`
	because
}) (*plan[snippetView], error) {
	tags, err := checkedSettings(in.Key, in.Name, in.Tags)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(in.Text) == "" {
		return nil, badf("text: must not be empty")
	}
	_, err = ld.PromptSnippets.Get(ctx, in.Project, in.Key)
	if err := taken(err, in.Project, "a prompt snippet", in.Key, "update-prompt-snippet"); err != nil {
		return nil, err
	}
	f := ldclient.PromptSnippetFields{Key: in.Key, Name: &in.Name, Text: &in.Text}
	if in.Description != "" {
		f.Description = &in.Description
	}
	if len(tags) > 0 {
		f.Tags = &tags
	}
	return &plan[snippetView]{
		intent: intent{Says: fmt.Sprintf("create prompt snippet %s in project %s: %q", in.Key, in.Project, short(clean(in.Text), 400)), Notes: uncommented(in.because)},
		Apply: func(ctx context.Context, how manner) (*snippetView, error) {
			if how.DryRun {
				return &snippetView{in.Key, in.Name, 1, in.Description, in.Text, tags}, nil
			}
			return shows(snippetOf)(ld.PromptSnippets.Create(ctx, in.Project, f))
		},
	}, nil
})

var updatePromptSnippet = update(Spec{
	Name: "update-prompt-snippet", Title: "Change a prompt snippet", Action: "updatePromptSnippet",
	Doc: "Make a new version of a prompt snippet.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atSnippet
	Text        *string   `json:"text,omitempty" doc:"Whole text"`
	Name        *string   `json:"name,omitempty"`
	Tags        *[]string `json:"tags,omitempty" doc:"All; [] for none"`
	Description *string   `json:"description,omitempty"`
	because
}) (*plan[snippetView], error) {
	if in.Text == nil && in.Name == nil && in.Tags == nil && in.Description == nil {
		return nil, badf("nothing to change: give text, name, tags or description")
	}
	s, err := snippetNamed(ctx, ld, in.atSnippet)
	if err != nil {
		return nil, err
	}
	before := snippetOf(*s)
	after := before
	after.Version++
	var f ldclient.PromptSnippetFields
	var says []string
	for _, x := range []struct {
		name     string
		want     *string
		is       *string
		to       **string
		required bool
	}{{"text", in.Text, &after.Text, &f.Text, true}, {"name", in.Name, &after.Name, &f.Name, true}, {"description", in.Description, &after.Description, &f.Description, false}} {
		if x.want == nil || *x.want == *x.is {
			continue
		}
		if x.required && clean(*x.want) == "" {
			return nil, badf("%s: must not be empty", x.name)
		}
		if err := cmp.Or(keepsSecrets(x.name, *x.is, *x.want), keepsWhole(x.name, *x.is, *x.want, listedText)); err != nil {
			return nil, err
		}
		says = append(says, x.name+" "+fromTo(*x.is, *x.want, 300))
		*x.is, *x.to = *x.want, x.want
	}
	if in.Tags != nil {
		tags, err := checkedTags(*in.Tags)
		if err != nil {
			return nil, err
		}
		if !slices.Equal(slices.Sorted(slices.Values(tags)), slices.Sorted(slices.Values(before.Tags))) {
			says = append(says, fmt.Sprintf("tags from %s to %s", short(clean(orNone(before.Tags)), 200), short(clean(orNone(tags)), 200)))
			f.Tags, after.Tags = &tags, tags
		}
	}
	if says == nil {
		return &plan[snippetView]{intent: intent{Nothing: fmt.Sprintf("prompt snippet %s is so already", in.Snippet)}, Before: &before}, nil
	}
	uses := snippetUses(ctx, ld, in.Project, in.Snippet)
	notes := append(losesUnseen("text", before.Text, after.Text), uses.says("it is used by"))
	if len(uses.Uses) > 0 || uses.Unknown != "" {
		notes = append(notes, "LaunchDarkly documents that variations keep the version that they name, but also that a change reaches all that use it: look at them afterwards with get-ai-config")
	}
	p := &plan[snippetView]{
		intent: intent{Says: fmt.Sprintf("make version %d of prompt snippet %s of project %s: %s", after.Version, in.Snippet, in.Project, strings.Join(says, "; ")),
			Version: "snippet " + digest([]any{before, uses.Uses}), Notes: append(notes, uncommented(in.because)...)},
		Before: &before, Differ: (*snippetView).differ,
	}
	p.Apply = func(ctx context.Context, how manner) (*snippetView, error) {
		if how.DryRun {
			return &after, nil
		}
		v, err := shows(snippetOf)(ld.PromptSnippets.Update(ctx, in.Project, in.Snippet, f))
		if err == nil {
			p.overtaken(in.target(), before.Version, after.Version, v.Version)
		}
		return v, err
	}
	return p, nil
})

var deletePromptSnippet = remove(Spec{
	Name: "delete-prompt-snippet", Title: "Delete a prompt snippet", Action: "deletePromptSnippet",
	Doc: "Delete a prompt snippet for good. Variations that use it lose it.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atSnippet
	because
}) (*plan[snippetView], error) {
	s, err := snippetNamed(ctx, ld, in.atSnippet)
	if err != nil {
		return nil, err
	}
	before := snippetOf(*s)
	uses := snippetUses(ctx, ld, in.Project, in.Snippet)
	return &plan[snippetView]{
		intent: intent{Says: fmt.Sprintf("delete prompt snippet %s of project %s for good, with all its versions: %q", in.Snippet, in.Project, short(clean(s.Text), 300)),
			Version: "snippet " + digest([]any{before, uses.Uses}),
			Notes:   append([]string{uses.says("it would be gone from")}, uncommented(in.because)...)},
		Before: &before,
		Apply: func(ctx context.Context, how manner) (*snippetView, error) {
			if how.DryRun {
				return nil, nil
			}
			return nil, ld.PromptSnippets.Delete(ctx, in.Project, in.Snippet)
		},
	}, nil
})
