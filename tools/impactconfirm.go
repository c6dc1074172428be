package tools

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

const (
	impactWithin = 5 * time.Second // for the person who waits to be asked
	maxImpactIn  = 3               // environments of a change in all of them
)

// impactWords says in a sentence or two what a planned change would do to
// contexts, "" where it does nothing to them. It never stands in the way: what
// could not be found out is said.
func impactWords(ctx context.Context, c *call, p intent, protected []string) string {
	at := c.target
	if !tryable(at, p.Instructions) || !concernsContexts(p.Instructions) {
		return ""
	}
	ctx, cancel := context.WithTimeout(ldclient.WithoutWrites(ctx), impactWithin)
	defer cancel()
	if at.Environment == "" {
		at.Environment = p.Within
	}
	if at.Environment != "" {
		return impactIn(ctx, c.ld, at, at.Environment, p.Instructions)
	}
	if at.Kind != "flag" {
		return ""
	}
	list := slices.Clone(protected)
	critical := func(e string) int {
		if strings.HasSuffix(e, "(critical)") {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(list, func(a, b string) int { return critical(a) - critical(b) })
	var says []string
	for _, e := range list[:min(maxImpactIn, len(list))] {
		key, _, _ := strings.Cut(e, " ")
		says = append(says, impactIn(ctx, c.ld, at, key, p.Instructions))
	}
	if more := len(list) - maxImpactIn; more > 0 {
		were := "environments were"
		if more == 1 {
			were = "environment was"
		}
		says = append(says, fmt.Sprintf("%d more protected %s not looked at.", more, were))
	}
	return strings.Join(says, " ")
}

func impactIn(ctx context.Context, ld *ldclient.Client, at ldclient.Target, environment string, do []ldclient.Instruction) string {
	i, err := func() (*impact, error) {
		there := at
		there.Environment = environment
		from := sampled{seen: ordinarySample}
		if at.Kind == "segment" {
			s, err := ld.Segments.Get(ctx, at.Project, environment, at.Key)
			if err != nil {
				return nil, err
			}
			tried, err := trySegment(ctx, ld, there, do)
			if err != nil {
				return nil, err
			}
			return segmentImpactOf(ctx, ld, there, s, tried, from)
		}
		f, _, err := flagIn(ctx, ld, there)
		if err != nil {
			return nil, err
		}
		tried, _, err := tryFlag(ctx, ld, there, f, do)
		if err != nil {
			return nil, err
		}
		return flagImpactOf(ctx, ld, there, f, tried, from)
	}()
	if err != nil {
		return fmt.Sprintf("What it would change for contexts in %s could not be worked out: %s.", environment, strings.TrimSuffix(short(clean(lastWords(err)), 200), "."))
	}
	return i.sentence()
}
