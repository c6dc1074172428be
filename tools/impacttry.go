package tools

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/engine"
)

// notTried says why it is not known how something would be after a change.
type notTried struct{ why string }

func (n notTried) Error() string { return n.why }

// tryFlag tells how a flag would be after instructions. LaunchDarkly says so
// itself, unless it tries out nothing that an approval or another role is
// needed for: then it is worked out here, which note says.
func tryFlag(ctx context.Context, ld *ldclient.Client, at ldclient.Target, f *ldclient.Flag, do []ldclient.Instruction) (g *ldclient.Flag, note string, err error) {
	g, err = ld.Flags.Patch(ctx, at.Project, at.Environment, at.Key, ldclient.Patch{Instructions: do, DryRun: true})
	if err == nil || !refusesToTry(err) {
		return g, "", err
	}
	why := strings.TrimSuffix(short(clean(lastWords(err)), 200), ".")
	if at.Environment == "" {
		return nil, "", notTried{fmt.Sprintf("LaunchDarkly does not try it out (%s)", why)}
	}
	env := engine.New(at.Environment)
	env.AddFlag(at.Key, f)
	for _, key := range engine.Prerequisites(do) {
		p, err := ld.Flags.Get(ctx, at.Project, at.Environment, key)
		if err != nil {
			return nil, "", err
		}
		env.AddFlag(key, p)
	}
	g, err = env.Apply(at.Key, do)
	if err != nil {
		return nil, "", notTried{fmt.Sprintf("LaunchDarkly does not try it out (%s), and %v", why, err)}
	}
	return g, fmt.Sprintf("LaunchDarkly does not try it out (%s), so what it would do was worked out here", why), nil
}

// trySegment tells how a segment would be after instructions.
func trySegment(ctx context.Context, ld *ldclient.Client, at ldclient.Target, do []ldclient.Instruction) (*ldclient.Segment, error) {
	s, err := ld.Segments.Patch(ctx, at.Project, at.Environment, at.Key, ldclient.Patch{Instructions: do, DryRun: true})
	if err != nil && refusesToTry(err) {
		return nil, notTried{fmt.Sprintf("LaunchDarkly does not try it out (%s)", strings.TrimSuffix(short(clean(lastWords(err)), 200), "."))}
	}
	return s, err
}

func refusesToTry(err error) bool {
	return slices.Contains([]int{401, 403, 405}, ldclient.Status(err))
}

// lastWords is what LaunchDarkly said itself.
func lastWords(err error) string {
	if e, ok := errors.AsType[*ldclient.Error](err); ok {
		return e.Message
	}
	return err.Error()
}

// unserved are the kinds of instructions that change nothing that anyone gets.
var unserved = []string{
	"updateRuleDescription", "updateRuleTrackEvents", "updateTrackEvents", "updateTrackEventsFallthrough", "updateName", "updateDescription",
	"addTags", "removeTags", "makeFlagTemporary", "makeFlagPermanent", "turnOnClientSideAvailability", "turnOffClientSideAvailability",
	"addCustomProperties", "replaceCustomProperties", "removeCustomProperties", "updateMaintainerMember", "updateMaintainerTeam", "removeMaintainer",
	"deprecateFlag", "restoreDeprecatedFlag", "addVariation", "updateDefaultVariation",
}

// tryable reports whether LaunchDarkly would try out instructions as a patch of the flag or segment itself.
func tryable(at ldclient.Target, do []ldclient.Instruction) bool {
	kinds := slices.Concat(targetingKinds, releaseKinds, variationKinds, unserved, []string{"archiveFlag", "restoreFlag"})
	switch at.Kind {
	case "flag":
	case "segment":
		kinds = slices.Concat(segmentKinds, []string{"updateName", "addTags", "removeTags"})
	default:
		return false
	}
	return len(do) > 0 && !slices.ContainsFunc(do, func(i ldclient.Instruction) bool { return !slices.Contains(kinds, i.Kind()) })
}

// concernsContexts reports whether instructions may change what some context gets.
func concernsContexts(do []ldclient.Instruction) bool {
	return slices.ContainsFunc(do, func(i ldclient.Instruction) bool {
		if i.Kind() == "updateVariation" {
			_, value := i["value"]
			return value
		}
		return !slices.Contains(unserved, i.Kind())
	})
}
