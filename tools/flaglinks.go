package tools

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// flagLinkState is what changing a link changes.
type flagLinkState struct {
	ID          string `json:"_id,omitempty"`
	Address     string `json:"deepLink"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
}

func flagLinkStateOf(l ldclient.FlagLink) flagLinkState {
	return flagLinkState{l.ID, withoutPassword(l.URL), l.Title, l.Description}
}

// withoutPassword hides a password in an address that somebody else wrote.
func withoutPassword(address string) string {
	if u, err := url.Parse(address); err == nil && u.User != nil {
		return u.Redacted()
	}
	return address
}

// flagLinkRow is a link in a list.
type flagLinkRow struct {
	flagLinkState
	Integration string `json:"integrationKey,omitempty" doc:"that it was made by"`
	Created     string `json:"createdAt,omitempty"`
	Member      string `json:"createdBy,omitempty"`
}

var listFlagLinks = read(Spec{
	Name: "list-flag-links", Title: "List a flag's links",
	Doc: "List the links from a flag to pages elsewhere.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atFlag
	paged
}) (page[flagLinkRow], error) {
	all, err := ld.FlagLinks.List(ctx, in.Project, in.Flag)
	if err != nil {
		return page[flagLinkRow]{}, err
	}
	return pageOf(cutOut(all, in.paged), in.Offset, func(l ldclient.FlagLink) flagLinkRow {
		row := flagLinkRow{flagLinkState: flagLinkStateOf(l), Integration: l.Integration, Created: l.Created.String()}
		row.Description = short(row.Description, 200)
		if l.Member != nil {
			row.Member = l.Member.String()
		}
		return row
	}), nil
})

// cutOut is the page of a whole list that a call asks for.
func cutOut[T any](all []T, p paged) *ldclient.Page[T] {
	from := min(p.Offset, len(all))
	return &ldclient.Page[T]{Items: all[from:min(from+p.Limit, len(all))], Total: len(all)}
}

const maxAddress = 2048

// checkedAddress refuses what is no plain web address: others run code, or give away a password.
func checkedAddress(s string) (string, error) {
	const want = "deepLink: must be an address that begins with https:// or http://"
	u, err := url.Parse(s)
	switch {
	case err != nil, u.Scheme != "https" && u.Scheme != "http", u.Hostname() == "":
		return "", badf("%s, got %q", want, short(clean(withoutPassword(s)), 100))
	case u.User != nil:
		return "", badf("deepLink: must not hold a user name or password")
	case len(s) > maxAddress:
		return "", badf("deepLink: must have at most %d characters, got %d", maxAddress, len(s))
	case s != visible(s) || strings.ContainsAny(s, " \t\r\n\"<>\\`"):
		return "", badf("deepLink: holds characters that an address does not; write them as %%20 and the like")
	case s != ldclient.Mask(s):
		return "", badf("deepLink: holds what looks like a secret")
	}
	return s, nil
}

// linkWords are the title and description of a link.
func linkWords(title, description string) error {
	switch {
	case clean(title) == "" || len(title) > 256:
		return badf("title: must have 1 to 256 characters")
	case len(description) > 4096:
		return badf("description: must have at most 4096 characters")
	}
	return nil
}

var createFlagLink = create(Spec{
	Name: "create-flag-link", Title: "Add a flag link", Action: "createFlagLink",
	Doc: "Add a link from a flag to a page elsewhere, such as a ticket.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atFlag
	Address     string `json:"deepLink" alias:"url,link,href" doc:"https://…"`
	Title       string `json:"title" doc:"Its name"`
	Description string `json:"description,omitempty"`
	because
}) (*plan[flagLinkState], error) {
	address, err := checkedAddress(in.Address)
	if err != nil {
		return nil, err
	}
	if err := linkWords(in.Title, in.Description); err != nil {
		return nil, err
	}
	all, err := ld.FlagLinks.List(ctx, in.Project, in.Flag)
	if err != nil {
		return nil, err
	}
	p := &plan[flagLinkState]{intent: intent{Says: fmt.Sprintf("add a link from flag %s of project %s to %s", in.Flag, in.Project, address), Notes: uncommented(in.because)}}
	if i := slices.IndexFunc(all, func(l ldclient.FlagLink) bool { return l.URL == address }); i >= 0 {
		was := flagLinkStateOf(all[i])
		p.Before, p.Notes = &was, nil
		p.Nothing = fmt.Sprintf("flag %s has this link already; update-flag-link changes its title", in.Flag)
		return p, nil
	}
	p.Apply = func(ctx context.Context, how manner) (*flagLinkState, error) {
		if how.DryRun {
			return &flagLinkState{"", address, in.Title, in.Description}, nil
		}
		got, err := ld.FlagLinks.Create(ctx, in.Project, in.Flag, ldclient.NewFlagLink{URL: address, Title: in.Title, Description: in.Description})
		if err != nil {
			return nil, err
		}
		after := flagLinkStateOf(*got)
		return &after, nil
	}
	return p, nil
})

// atFlagLink is one link of a flag.
type atFlagLink struct {
	atFlag
	Link string `json:"id" alias:"linkId,flagLinkId,_id" doc:"_id from list-flag-links"`
}

// flagLink reads a link; where there is none, it says which ones there are.
func (a atFlagLink) flagLink(ctx context.Context, ld *ldclient.Client) (*ldclient.FlagLink, error) {
	all, err := ld.FlagLinks.List(ctx, a.Project, a.Flag)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(l ldclient.FlagLink) bool { return l.ID == a.Link })
	if i < 0 {
		return nil, absent("link of flag "+a.Flag+" with id", a.Link, keysOf(all, func(l ldclient.FlagLink) string { return l.ID }))
	}
	return &all[i], nil
}

var updateFlagLink = update(Spec{
	Name: "update-flag-link", Title: "Change a flag link", Action: "updateFlagLink",
	Unconfirmed: "a link stands on the flag's page, and nothing that runs looks at it",
	Doc:         "Change the address, title or description of a flag's link.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atFlagLink
	Address     *string `json:"deepLink,omitempty" alias:"url,link,href" doc:"https://…"`
	Title       *string `json:"title,omitempty" doc:"Its name"`
	Description *string `json:"description,omitempty"`
	because
}) (*plan[flagLinkState], error) {
	if in.Address == nil && in.Title == nil && in.Description == nil {
		return nil, badf("nothing to change: give deepLink, title or description")
	}
	l, err := in.flagLink(ctx, ld)
	if err != nil {
		return nil, err
	}
	before, then := flagLinkStateOf(*l), flagLinkStateOf(*l)
	var e edits
	if in.Address != nil && *in.Address != l.URL {
		if then.Address, err = checkedAddress(*in.Address); err != nil {
			return nil, err
		}
		e.set("/deepLink", then.Address, "lead to %s instead of %s", then.Address, short(clean(before.Address), 200))
	}
	if in.Title != nil && *in.Title != then.Title {
		then.Title = *in.Title
		e.set("/title", then.Title, "rename it from %q to %q", short(clean(before.Title), 100), short(clean(then.Title), 100))
	}
	if in.Description != nil && *in.Description != then.Description {
		then.Description = *in.Description
		e.set("/description", then.Description, "set the description to %q", short(clean(then.Description), 200))
	}
	if len(e.steps) > 0 {
		if err := linkWords(cmp.Or(then.Title, l.ID), then.Description); err != nil {
			return nil, err
		}
	}
	p := &plan[flagLinkState]{intent: e.intent(fmt.Sprintf("link %s of flag %s in project %s", in.Link, in.Flag, in.Project), l, in.because), Before: &before}
	p.Apply = func(ctx context.Context, how manner) (*flagLinkState, error) {
		if how.DryRun {
			return &then, nil
		}
		got, err := ld.FlagLinks.Update(ctx, in.Project, in.Flag, in.Link, e.steps)
		if err != nil {
			return nil, err
		}
		after := flagLinkStateOf(*got)
		if after != then {
			p.Noticed = append(p.Noticed, "LaunchDarkly did not take all of it: compare after with what was asked for")
		}
		return &after, nil
	}
	return p, nil
})

var deleteFlagLink = remove(Spec{
	Name: "delete-flag-link", Title: "Remove a flag link", Action: "deleteFlagLink",
	Doc: "Remove one link of a flag for good.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atFlagLink
	because
}) (*plan[flagLinkState], error) {
	l, err := in.flagLink(ctx, ld)
	if err != nil {
		return nil, err
	}
	before := flagLinkStateOf(*l)
	return &plan[flagLinkState]{
		intent: intent{Says: fmt.Sprintf("remove the link %q to %s from flag %s of project %s for good; the flag stays", short(clean(l.Title), 100), short(clean(before.Address), 200), in.Flag, in.Project),
			Version: "link " + digest(l), Notes: uncommented(in.because)},
		Before: &before,
		Apply: func(ctx context.Context, how manner) (*flagLinkState, error) {
			if how.DryRun {
				return nil, nil
			}
			return nil, ld.FlagLinks.Delete(ctx, in.Project, in.Flag, in.Link)
		},
	}, nil
})
