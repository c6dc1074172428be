package tools

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// prerequisiteInstruction is one instruction on prerequisites, with LaunchDarkly's names.
type prerequisiteInstruction struct {
	Kind          string               `json:"kind" jsonschema:"enum=addPrerequisite,enum=updatePrerequisite,enum=removePrerequisite,enum=replacePrerequisites"`
	Key           string               `json:"key,omitempty" alias:"flagKey,prerequisiteKey,flag" doc:"Prerequisite flag"`
	Variation     string               `json:"variation,omitempty" alias:"variationId,variationKey,variationName,variationIndex" doc:"What it must serve"`
	Prerequisites *[]prerequisiteInput `json:"prerequisites,omitempty" brief:"true" doc:"replacePrerequisites: all {key, variation}"`
}

type prerequisiteInput struct {
	Key       string `json:"key" alias:"flagKey,prerequisiteKey,flag"`
	Variation string `json:"variation" alias:"variationId,variationKey,variationName,variationIndex"`
}

var prerequisiteNeeds = map[string][2][]string{
	"addPrerequisite":      {{"key", "variation"}, nil},
	"updatePrerequisite":   {{"key", "variation"}, nil},
	"removePrerequisite":   {{"key"}, nil},
	"replacePrerequisites": {{"prerequisites"}, nil},
}

// prerequisitesState is what changing prerequisites changes.
type prerequisitesState struct {
	Version       int                `json:"version" doc:"of the flag in this environment"`
	Prerequisites []prerequisiteView `json:"prerequisites"`
}

func prerequisitesStateIn(environment string) func(*ldclient.Flag) prerequisitesState {
	return func(f *ldclient.Flag) prerequisitesState {
		c := f.Environments[environment]
		out := prerequisitesState{c.Version, []prerequisiteView{}}
		for _, p := range c.Prerequisites {
			out.Prerequisites = append(out.Prerequisites, prerequisiteView{p.Key, p.Variation})
		}
		return out
	}
}

var updatePrerequisites = update(Spec{
	Name: "update-prerequisites", Title: "Change prerequisites", Action: "updatePrerequisites",
	Doc: "Add, change or remove the flags that must be on and serve a certain variation before a flag is evaluated; else everyone gets the off variation.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atFlagEnvironment
	Instructions []prerequisiteInstruction `json:"instructions" jsonschema:"minItems=1" doc:"In order"`
	because
}) (*plan[prerequisitesState], error) {
	f, c, err := flagIn(ctx, ld, in.target())
	if err != nil {
		return nil, err
	}
	b := prerequisiteBuilder{flag: f, list: slices.Clone(c.Prerequisites), others: flagReader{ld, in.target(), map[string]*ldclient.Flag{}}}
	for n, i := range in.Instructions {
		err := b.build(ctx, i)
		if bad, ok := errors.AsType[badArguments](err); ok {
			return nil, badf("instructions[%d] (%s): %v", n, i.Kind, bad)
		} else if err != nil {
			return nil, err
		}
	}
	if err := b.others.noCircle(ctx, in.Flag, c.Prerequisites, b.list); err != nil {
		return nil, err
	}
	words := fmt.Sprintf("change the prerequisites of flag %s in %s of project %s: %s", in.Flag, in.Environment, in.Project, strings.Join(b.says, "; "))
	p := flagPlan(ld, in.target(), f, prerequisitesStateIn(in.Environment), words, b.do...)
	p.Notes = b.notes
	if slices.Equal(b.list, c.Prerequisites) {
		p.Nothing = "the prerequisites are so already"
	}
	return p, nil
})

// prerequisiteBuilder turns instructions as callers write them into
// LaunchDarkly's, following the list of prerequisites on the way.
type prerequisiteBuilder struct {
	flag   *ldclient.Flag
	list   []ldclient.Prerequisite
	others flagReader
	do     []ldclient.Instruction
	says   []string
	notes  []string
}

func (b *prerequisiteBuilder) build(ctx context.Context, i prerequisiteInstruction) error {
	if err := fit(i.Kind, i, prerequisiteNeeds); err != nil {
		return badf("%v", err)
	}
	n := slices.IndexFunc(b.list, func(p ldclient.Prerequisite) bool { return p.Key == i.Key })
	switch {
	case i.Kind == "replacePrerequisites":
		return b.replace(ctx, *i.Prerequisites)
	case i.Kind == "removePrerequisite":
		if n < 0 {
			b.notes = append(b.notes, fmt.Sprintf("%s was no prerequisite of %s", word(i.Key), b.flag.Key))
			return nil
		}
		b.list = slices.Delete(b.list, n, n+1)
		b.do, b.says = append(b.do, ldclient.RemovePrerequisite(i.Key)), append(b.says, "no longer require flag "+i.Key)
		return nil
	case i.Kind == "updatePrerequisite" && n < 0:
		return badf("flag %s is no prerequisite of %s; use addPrerequisite", word(i.Key), b.flag.Key)
	}
	p, id, words, err := b.resolve(ctx, prerequisiteInput{i.Key, i.Variation})
	if err != nil {
		return err
	}
	do := ldclient.AddPrerequisite
	switch {
	case n >= 0 && b.list[n] == p:
		return nil
	case n >= 0 && i.Kind == "addPrerequisite":
		return badf("flag %s is a prerequisite of %s already, with another variation; use updatePrerequisite", i.Key, b.flag.Key)
	case n >= 0:
		do = ldclient.UpdatePrerequisite
		b.list[n] = p
	default:
		b.list = append(b.list, p)
	}
	b.do = append(b.do, do(ldclient.NewPrerequisite{Key: p.Key, VariationID: id}))
	b.says = append(b.says, "require "+words)
	return nil
}

func (b *prerequisiteBuilder) replace(ctx context.Context, in []prerequisiteInput) error {
	list, out, says := []ldclient.Prerequisite{}, []ldclient.NewPrerequisite{}, []string{}
	for n, one := range in {
		p, id, words, err := b.resolve(ctx, one)
		if bad, ok := errors.AsType[badArguments](err); ok {
			return badf("prerequisites[%d]: %v", n, bad)
		} else if err != nil {
			return err
		}
		if slices.ContainsFunc(list, func(q ldclient.Prerequisite) bool { return q.Key == p.Key }) {
			return badf("prerequisites[%d]: flag %s is named twice", n, p.Key)
		}
		list, says = append(list, p), append(says, words)
		out = append(out, ldclient.NewPrerequisite{Key: p.Key, VariationID: id})
	}
	if len(says) == 0 {
		says = []string{"none"}
	}
	b.do = append(b.do, ldclient.ReplacePrerequisites(out))
	b.says = append(b.says, fmt.Sprintf("replace all %d prerequisites by %s", len(b.list), strings.Join(says, ", ")))
	b.list = list
	return nil
}

// resolve finds the prerequisite and the variation of it that is meant.
func (b *prerequisiteBuilder) resolve(ctx context.Context, in prerequisiteInput) (p ldclient.Prerequisite, id, words string, err error) {
	if in.Key == b.flag.Key {
		return p, "", "", badf("flag %s cannot be a prerequisite of itself", in.Key)
	}
	f, err := b.others.flag(ctx, in.Key)
	if ldclient.IsNotFound(err) {
		have, _ := b.others.ld.Flags.List(ctx, b.others.at.Project, ldclient.ListFlags{Paging: ldclient.Paging{Limit: upstreamPage}})
		var keys []string
		if have != nil {
			keys = keysOf(have.Items, func(f ldclient.Flag) string { return f.Key })
		}
		err = absent("flag", in.Key, keys)
	}
	if err != nil {
		return p, "", "", err
	}
	if f.Archived {
		return p, "", "", badf("flag %s is archived and cannot be a prerequisite; restore it first", f.Key)
	}
	i, err := variation(f, in.Variation)
	if err != nil {
		return p, "", "", err
	}
	if at := b.others.at; !f.Environments[at.Environment].On {
		b.notes = append(b.notes, fmt.Sprintf("targeting of %s is off in %s, so this prerequisite is not met and everyone gets the off variation of %s until it is turned on", f.Key, at.Environment, b.flag.Key))
	}
	return ldclient.Prerequisite{Key: f.Key, Variation: i}, f.Variations[i].ID, fmt.Sprintf("flag %s to serve %s", f.Key, label(f, i)), nil
}

// flagReader reads the flags of one environment, each once.
type flagReader struct {
	ld   *ldclient.Client
	at   ldclient.Target
	seen map[string]*ldclient.Flag
}

func (r flagReader) flag(ctx context.Context, key string) (*ldclient.Flag, error) {
	if f := r.seen[key]; f != nil {
		return f, nil
	}
	f, err := r.ld.Flags.Get(ctx, r.at.Project, r.at.Environment, key)
	if err == nil {
		r.seen[key] = f
	}
	return f, err
}

// noCircle refuses new prerequisites of a flag that themselves require it.
func (r flagReader) noCircle(ctx context.Context, flag string, have, want []ldclient.Prerequisite) error {
	done := map[string]bool{}
	for _, p := range have {
		done[p.Key] = true
	}
	var walk func(path []string) error
	walk = func(path []string) error {
		key := path[len(path)-1]
		if key == flag {
			return badf("this would make a circle: %s; remove one of these prerequisites first", strings.Join(path, " requires "))
		}
		if done[key] {
			return nil
		}
		done[key] = true
		f, err := r.flag(ctx, key)
		if ldclient.IsNotFound(err) { // archived or deleted since
			return nil
		}
		if err != nil {
			return err
		}
		for _, p := range f.Environments[r.at.Environment].Prerequisites {
			if err := walk(append(slices.Clone(path), p.Key)); err != nil {
				return err
			}
		}
		return nil
	}
	for _, p := range want {
		if err := walk([]string{flag, p.Key}); err != nil {
			return err
		}
	}
	return nil
}
