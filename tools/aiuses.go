package tools

import (
	"context"
	"fmt"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// usedBy tells which variations of AI configs use something.
type usedBy struct {
	Uses    []variationUse `json:"usedBy,omitempty" doc:"the first ten"`
	Total   int            `json:"usedByCount,omitempty"`
	Unknown string         `json:"usedByUnknown,omitempty" doc:"why it is not known what uses it"`
}

type variationUse struct {
	Config    string `json:"configKey"`
	Variation string `json:"variationKey"`
	Version   int    `json:"version" doc:"that it names"`
}

func (u usedBy) firstTen() usedBy {
	u.Uses = ten(u.Uses, 0)
	return u
}

// says names what uses it, after words that lead there.
func (u usedBy) says(lead string) string {
	switch {
	case u.Unknown != "":
		return "it could not be found out which AI configs use it (" + u.Unknown + ")"
	case len(u.Uses) == 0:
		return "no AI config uses it"
	}
	names := keysOf(u.Uses, func(x variationUse) string {
		return fmt.Sprintf("%s, variation %s (version %d)", x.Config, x.Variation, x.Version)
	})
	if u.Total > firstOf {
		return fmt.Sprintf("%s %s and others, %d variations in all", lead, short(clean(strings.Join(ten(names, 0), "; ")), 800), u.Total)
	}
	return lead + " " + short(clean(strings.Join(names, "; ")), 800)
}

// referencesOf are the references that LaunchDarkly lists.
func referencesOf(got *ldclient.Page[ldclient.Reference], err error, version func(ldclient.Reference) int) usedBy {
	if err != nil {
		return usedBy{Unknown: short(clean(err.Error()), 200)}
	}
	out := usedBy{Total: max(got.Total, len(got.Items))}
	for _, r := range got.Items {
		name := r.Variation
		if name == "" {
			name = r.VariationName
		}
		out.Uses = append(out.Uses, variationUse{r.Config, name, version(r)})
	}
	return out
}

// toolUses finds the variations that use a tool.
func toolUses(ctx context.Context, ld *ldclient.Client, project, key string) usedBy {
	got, err := ld.AITools.References(ctx, project, key, ldclient.Paging{Limit: upstreamPage})
	if ldclient.IsNotFound(err) { // not every instance has this yet
		return toolUsesByConfig(ctx, ld, project, key)
	}
	return referencesOf(got, err, func(r ldclient.Reference) int { return r.ToolVersion })
}

// snippetUses finds the variations that use a prompt snippet.
func snippetUses(ctx context.Context, ld *ldclient.Client, project, key string) usedBy {
	got, err := ld.PromptSnippets.References(ctx, project, key, ldclient.Paging{Limit: upstreamPage})
	return referencesOf(got, err, func(r ldclient.Reference) int { return r.SnippetVersion })
}

// maxConfigsRead bounds how many AI configs are looked through for what uses a tool.
const maxConfigsRead = 500

// toolUsesByConfig looks for a tool in the variations of all AI configs.
func toolUsesByConfig(ctx context.Context, ld *ldclient.Client, project, key string) usedBy {
	var out usedBy
	read := 0
	for c, err := range ldclient.All(func(offset int) (*ldclient.Page[ldclient.AIConfig], error) {
		return ld.AIConfigs.List(ctx, project, ldclient.Paging{Limit: upstreamPage, Offset: offset})
	}) {
		if err != nil {
			return usedBy{Unknown: short(clean(err.Error()), 200)}
		}
		if read++; read > maxConfigsRead {
			return usedBy{Unknown: fmt.Sprintf("there are more than %d AI configs", maxConfigsRead)}
		}
		for _, v := range c.Variations {
			for _, t := range v.Tools {
				if t.Key == key {
					out.Uses = append(out.Uses, variationUse{c.Key, v.Key, t.Version})
				}
			}
		}
	}
	out.Total = len(out.Uses)
	return out
}

// keepsSecrets refuses text that was read here with a secret masked, and would be written back so.
func keepsSecrets(what, stored, given string) error {
	if ldclient.Mask(stored) != stored && strings.Contains(given, "-****") {
		return badf("%s: there is a LaunchDarkly secret in it, which is shown as ****; take it out on LaunchDarkly's own page first", what)
	}
	return nil
}

// losesUnseen notes that a text would lose characters that were not shown to whoever wrote it anew.
func losesUnseen(what, stored, given string) []string {
	if visible(stored) != stored && visible(given) == given {
		return []string{"the " + what + " that was there holds characters that are not shown, such as those that join letters or emoji, and the new one has none"}
	}
	return nil
}

// keepsWhole refuses a text that holds only the beginning of the one that is there, as a reply showed it.
func keepsWhole(what, stored, given string, cuts ...int) error {
	for _, n := range cuts {
		if shown := short(stored, n); strings.HasSuffix(shown, "…") && !strings.HasSuffix(stored, "…") && strings.Contains(given, shown) {
			return badf("%s: this holds only the first %d characters of what is there, as a reply showed it; the rest would be lost. Read all of it first", what, n)
		}
	}
	return nil
}
