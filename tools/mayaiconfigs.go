package tools

import (
	"context"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/policy"
)

// refusesAIConfig tells why an action on an AI config is certainly refused. It is
// named in its project or in an environment, and a permission on either name is enough.
func (k *knowledge) refusesAIConfig(ctx context.Context, ld *ldclient.Client, t ldclient.Target, action string) string {
	whole := t
	whole.Environment = ""
	forms := []ldclient.Target{whole}
	if t.Environment != "" {
		forms = append(forms, t)
	} else {
		envs, err := touched(ctx, ld, t)
		if err != nil {
			return ""
		}
		for _, e := range envs {
			in := t
			in.Environment = e.Key
			forms = append(forms, in)
		}
	}
	says := ""
	for _, form := range forms {
		for _, r := range k.resources(ctx, ld, form, action) {
			v, why, _ := k.who.CanAll([]policy.Need{{Action: action, Resource: r}})
			if v != policy.No {
				return ""
			}
			says = k.because(action, r.String(), why)
		}
	}
	return says
}
