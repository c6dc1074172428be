package tools

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// followerRow is a member who follows a flag.
type followerRow struct {
	Flag string `json:"flagKey,omitempty" doc:"where all flags are listed"`
	personRow
}

// followedInput is one flag in an environment, or all of its flags.
type followedInput struct {
	Project     string `json:"projectKey" alias:"project"`
	Flag        string `json:"flagKey,omitempty" alias:"flag,featureFlagKey,key"`
	Environment string `json:"environmentKey,omitempty" alias:"env,environment" default:"production" told:"true" doc:"production if not given"`
}

func (in followedInput) target() ldclient.Target {
	at := ldclient.Target{Project: in.Project, Environment: in.Environment}
	if in.Flag != "" {
		at.Kind, at.Key = "flag", in.Flag
	}
	return at
}

var listFlagFollowers = read(Spec{
	Name: "list-flag-followers", Title: "List who follows flags",
	Doc: "List who gets mail when a flag's targeting in an environment changes; of all flags without flagKey.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	followedInput
	paged
}) (page[followerRow], error) {
	var rows []followerRow
	if in.Flag != "" {
		people, err := ld.Followers.OfFlag(ctx, in.Project, in.Environment, in.Flag)
		if err != nil {
			return page[followerRow]{}, err
		}
		for _, p := range people {
			rows = append(rows, followerRow{personRow: personRowOf(p)})
		}
	} else {
		flags, err := ld.Followers.OfEnvironment(ctx, in.Project, in.Environment)
		if err != nil {
			return page[followerRow]{}, err
		}
		for _, f := range flags {
			for _, p := range f.Followers {
				rows = append(rows, followerRow{f.Flag, personRowOf(p)})
			}
		}
	}
	return pageOf(cutOut(rows, in.paged), in.Offset, func(r followerRow) followerRow { return r }), nil
})

// followers are who follows a flag.
type followers struct {
	Followers []personRow `json:"followers" doc:"the first ten"`
	Count     int         `json:"followersCount"`
}

func followersOf(people []ldclient.Person) *followers {
	out := &followers{Followers: []personRow{}, Count: len(people)}
	for _, p := range ten(people, 0) {
		out.Followers = append(out.Followers, personRowOf(p))
	}
	return out
}

type followInput struct {
	atFlagEnvironment
	Member string `json:"memberId,omitempty" alias:"member,email,id" default:"me" doc:"Id, email or me"`
	because
}

var addFlagFollower = update(Spec{
	Name: "add-flag-follower", Title: "Follow a flag", Action: "manageFlagFollowers",
	Doc: "Have a member get mail when a flag's targeting in an environment changes.",
}, func(ctx context.Context, ld *ldclient.Client, in followInput) (*plan[followers], error) {
	return in.plan(ctx, ld, true)
})

var removeFlagFollower = update(Spec{
	Name: "remove-flag-follower", Title: "Stop following a flag", Action: "manageFlagFollowers",
	Doc: "End that a member follows a flag in an environment.",
}, func(ctx context.Context, ld *ldclient.Client, in followInput) (*plan[followers], error) {
	return in.plan(ctx, ld, false)
})

func (in followInput) plan(ctx context.Context, ld *ldclient.Client, add bool) (*plan[followers], error) {
	who, err := personNamed(ctx, ld, in.Member)
	if err != nil {
		return nil, err
	}
	own := in.Member == "me"
	if !own { // a service token belongs to nobody, so all members are others
		me, err := ld.Members.Get(ctx, "me")
		if err != nil && !ldclient.IsNotFound(err) {
			return nil, err
		}
		own = err == nil && me.ID == who.ID
	}
	have, err := ld.Followers.OfFlag(ctx, in.Project, in.Environment, in.Flag)
	if err != nil {
		return nil, err
	}
	person := fmt.Sprintf("%s (%s)", short(clean(who.Person.String()), 100), short(clean(who.Email), 100))
	name, other := "the token's own member, "+person, person+" is somebody else than the token's own member"
	if !own {
		name = "SOMEBODY ELSE than the token's own member, " + person
	}
	flag := fmt.Sprintf("flag %s in %s of project %s", in.Flag, in.Environment, in.Project)
	says := fmt.Sprintf("have %s, follow %s, and so get mail when its targeting changes", name, flag)
	then := append(slices.Clone(have), who.Person)
	if !add {
		says = fmt.Sprintf("end that %s, follows %s, and so hears when its targeting changes", name, flag)
		then = slices.DeleteFunc(slices.Clone(have), func(p ldclient.Person) bool { return p.ID == who.ID })
	}
	p := &plan[followers]{intent: intent{Says: says, Version: "followers " + digest(have), Notes: uncommented(in.because)}, Before: followersOf(have)}
	if follows := slices.ContainsFunc(have, func(p ldclient.Person) bool { return p.ID == who.ID }); follows == add {
		p.Nothing, p.Notes = fmt.Sprintf("%s follows %s already", person, flag), nil
		if !add {
			p.Nothing = fmt.Sprintf("%s does not follow %s", person, flag)
		}
		return p, nil
	}
	p.Apply = func(ctx context.Context, how manner) (*followers, error) {
		if !own {
			p.Noticed = append(p.Noticed, other)
		}
		if how.DryRun {
			return followersOf(then), nil
		}
		set := ld.Followers.Remove
		if add {
			set = ld.Followers.Add
		}
		if err := set(ctx, in.Project, in.Environment, in.Flag, who.ID); err != nil {
			return nil, err
		}
		return followersOf(then), nil
	}
	return p, nil
}

// personNamed reads a member by id or email; "me" is the token's own, and a service token has none.
func personNamed(ctx context.Context, ld *ldclient.Client, said string) (*ldclient.Member, error) {
	m, err := memberBy(ctx, ld, said)
	switch {
	case !ldclient.IsNotFound(err):
		return m, err
	case said == "me":
		return nil, badf("the token belongs to no member; name one by id or email, which find-members shows")
	}
	var have []string
	if local, _, ok := strings.Cut(said, "@"); ok {
		if got, err := ld.Members.List(ctx, ldclient.ListMembers{Query: local, Paging: ldclient.Paging{Limit: firstOf}}); err == nil {
			have = keysOf(got.Items, func(m ldclient.Member) string { return m.Email })
		}
	}
	return nil, absent("member", short(clean(said), 100), have)
}
