package ldclient

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"net/http"
)

// AITargeting is who gets which variation of an AI config. It has the shape of a
// flag, so that all that works with flags does with it: On is what LaunchDarkly
// calls enabled here, and the kind of the flag is aiconfig.
type AITargeting struct {
	Flag
	Behind string // what it does not show of the latest write through this client, "" if it shows it
}

// AIConfigKind is the Kind of a Flag that is the targeting of an AI config.
const AIConfigKind = "aiconfig"

// UnmarshalJSON reads what differs from a flag: the names of a few fields.
func (t *AITargeting) UnmarshalJSON(b []byte) error {
	var in struct {
		Flag
		Environments map[string]aiTargetingConfig `json:"environments"`
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	err := d.Decode(&in) // a field of another type leaves the rest in place
	t.Flag = in.Flag
	t.Kind, t.Flag.Environments = AIConfigKind, make(map[string]FlagConfig, len(in.Environments))
	for key, e := range in.Environments {
		c := e.FlagConfig
		c.On, c.Version, c.Rules = e.Enabled, cmp.Or(e.Version, c.Version), make([]Rule, len(e.Rules))
		for i, r := range e.Rules {
			c.Rules[i] = r.Rule
			c.Rules[i].ID = cmp.Or(r.Rule.ID, r.PlainID)
			c.Rules[i].Clauses = make([]Clause, len(r.Clauses))
			for j, k := range r.Clauses {
				c.Rules[i].Clauses[j] = k.Clause
				c.Rules[i].Clauses[j].ID = cmp.Or(k.Clause.ID, k.PlainID)
			}
		}
		t.Flag.Environments[key] = c
	}
	for i, v := range t.Variations {
		if v.Key != "" {
			continue
		}
		var value struct {
			Meta struct {
				Variation string `json:"variationKey"`
			} `json:"_ldMeta"`
		}
		if json.Unmarshal(v.Value, &value) == nil {
			t.Variations[i].Key = value.Meta.Variation
		}
	}
	return err
}

// aiTargetingConfig is an environment of the targeting of an AI config, where ids of clauses have no underscore.
type aiTargetingConfig struct {
	FlagConfig
	Enabled bool `json:"enabled"`
	Version int  `json:"_version"`
	Rules   []struct {
		Rule
		PlainID string `json:"id"`
		Clauses []struct {
			Clause
			PlainID string `json:"id"`
		} `json:"clauses"`
	} `json:"rules"`
}

// Targeting returns who gets what in all environments. Reads that lag behind a
// write to this environment, to any where it is "", are made again, as Get does.
func (s *AIConfigsService) Targeting(ctx context.Context, project, environment, key string) (*AITargeting, error) {
	at := aiConfigAt(project, environment, key)
	return settled(ctx, s.c, at, func(ctx context.Context) (*AITargeting, error) {
		return get[AITargeting](ctx, s.c, at, aiConfigPath(at, "targeting"), nil)
	}, func(got *AITargeting) string {
		environments := []string{environment}
		if environment == "" {
			environments = s.c.written.environments(at)
		}
		got.Behind = ""
		for _, key := range environments {
			if got.Behind == "" {
				got.Behind = s.c.written.behind(aiConfigAt(project, key, at.Key), func(string) (int, bool) {
					c, ok := got.Environments[key]
					return c.Version, ok
				})
			}
		}
		return got.Behind
	})
}

// PatchTargeting applies a semantic patch and returns the targeting after it. There is no dry run of it.
func (s *AIConfigsService) PatchTargeting(ctx context.Context, project, environment, key string, p Patch) (*AITargeting, error) {
	at := aiConfigAt(project, environment, key)
	got, err := do[AITargeting](ctx, s.c, call{method: http.MethodPatch, at: at, path: aiConfigPath(at, "targeting"), body: p.body(environment),
		contentType: semanticPatch, writes: true})
	if err != nil {
		return nil, err
	}
	s.c.written.wrote(at, targetingPart(environment), got.Environments[environment].Version)
	if seen, err := s.Targeting(Fresh(ctx), project, environment, key); err != nil {
		got.Behind = "it could not be read back"
	} else {
		got.Behind = seen.Behind
	}
	return got, nil
}
