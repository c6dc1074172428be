package tools

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// modelRow is a model that variations of AI configs may use.
type modelRow struct {
	Key        string  `json:"key" doc:"modelConfigKey of a variation"`
	ID         string  `json:"id" doc:"modelName of a variation"`
	Name       string  `json:"name,omitempty"`
	Provider   string  `json:"provider,omitempty"`
	Own        bool    `json:"own,omitempty" doc:"the project's, not LaunchDarkly's"`
	Restricted bool    `json:"restricted,omitempty" doc:"variations may not use it"`
	Input      float64 `json:"inputCostPerMillionTokens,omitempty" doc:"USD"`
	Output     float64 `json:"outputCostPerMillionTokens,omitempty" doc:"USD"`
}

func modelRowOf(m ldclient.ModelConfig) modelRow {
	million := func(cost float64) float64 { return math.Round(cost*1e12) / 1e6 }
	return modelRow{m.Key, m.ID, nameBeside(m.ID, m.Name), m.Provider, !m.Global, m.Restricted, million(m.InputCost), million(m.OutputCost)}
}

var listModelConfigs = read(Spec{
	Name: "list-model-configs", Title: "List models",
	Doc: "List the models that AI configs can use, with their keys and costs.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atProject
	Query    string `json:"query,omitempty" alias:"search" told:"true" doc:"Part of a key or name"`
	Provider string `json:"provider,omitempty" doc:"Such as OpenAI"`
	paged
}) (page[modelRow], error) {
	all, err := ld.ModelConfigs.List(ctx, in.Project)
	if err != nil {
		return page[modelRow]{}, err
	}
	query := strings.ToLower(in.Query)
	found := slices.DeleteFunc(slices.Clone(all), func(m ldclient.ModelConfig) bool {
		has := slices.ContainsFunc([]string{m.Key, m.ID, m.Name}, func(s string) bool { return strings.Contains(strings.ToLower(s), query) })
		return !has || in.Provider != "" && !strings.EqualFold(m.Provider, in.Provider)
	})
	from := min(in.Offset, len(found))
	got := &ldclient.Page[ldclient.ModelConfig]{Items: found[from:min(from+in.Limit, len(found))], Total: len(found)}
	out := pageOf(got, in.Offset, modelRowOf)
	if len(found) == 0 && in.Provider != "" {
		var providers []string
		for _, m := range all {
			if m.Provider != "" && !slices.Contains(providers, m.Provider) {
				providers = append(providers, m.Provider)
			}
		}
		out.Note = "The models are of these providers: " + orNone(providers) + "."
	}
	return out, nil
})
