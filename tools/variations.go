package tools

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// label is what people call a variation: its name, or else its value.
func label(f *ldclient.Flag, index int) string {
	if index < 0 || index >= len(f.Variations) {
		return fmt.Sprintf("variation %d", index)
	}
	v := f.Variations[index]
	switch {
	case v.Key != "" && nameBeside(v.Key, v.Name) != "": // of an AI config, where two may have one name
		return short(clean(v.Name), 60) + " (" + v.Key + ")"
	case v.Name != "":
		return short(clean(v.Name), 60)
	}
	return short(clean(valueText(v.Value)), 60)
}

// valueText is a variation's value as people write it: strings without quotes, the rest as compact JSON.
func valueText(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return string(raw)
	}
	return b.String()
}

// short cuts s to n characters. Secrets are masked first, since half of one would no longer be known as one.
func short(s string, n int) string {
	s = ldclient.Mask(visible(s))
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}

// variation finds the one variation that said means: by id, key or name, value, or index, in this order.
func variation(f *ldclient.Flag, said string) (int, error) {
	said = strings.TrimSpace(said)
	const byValue = 2
	by := []func(int, ldclient.Variation) bool{
		func(_ int, v ldclient.Variation) bool { return v.ID == said },
		func(_ int, v ldclient.Variation) bool {
			return v.Name != "" && v.Name == said || v.Key != "" && v.Key == said
		},
		func(_ int, v ldclient.Variation) bool { return valueText(v.Value) == said || string(v.Value) == said },
		func(_ int, v ldclient.Variation) bool { return v.Name != "" && strings.EqualFold(v.Name, said) },
		func(i int, _ ldclient.Variation) bool {
			n, err := strconv.Atoi(said)
			return err == nil && n == i && f.Kind != ldclient.AIConfigKind // which has two lists that differ by one
		},
	}
	if f.Kind == "boolean" { // people say on and off for what a boolean flag serves
		by = append(by, func(_ int, v ldclient.Variation) bool {
			return map[string]string{"on": "true", "off": "false"}[strings.ToLower(said)] == string(v.Value)
		})
	}
	for step, means := range by {
		var hits []int
		for i, v := range f.Variations {
			if means(i, v) {
				hits = append(hits, i)
			}
		}
		switch len(hits) {
		case 1:
			// A number may be meant as a value or as an index.
			if i, err := strconv.Atoi(said); step == byValue && err == nil && f.Kind != ldclient.AIConfigKind && i != hits[0] && i >= 0 && i < len(f.Variations) {
				return 0, badf("%q means variation %s by value and variation %s by index; give the _id: %s", said, label(f, hits[0]), label(f, i), listVariations(f, []int{hits[0], i}))
			}
			return hits[0], nil
		case 0:
		default:
			return 0, badf("%q means several variations of %s: %s; give the _id", said, f.Key, listVariations(f, hits))
		}
	}
	all := make([]int, len(f.Variations))
	for i := range all {
		all[i] = i
	}
	return 0, badf("%s %s has no variation %q; it has %s", nounOf(f), f.Key, said, listVariations(f, all))
}

// nounOf is what people call f, which may be the targeting of an AI config.
func nounOf(f *ldclient.Flag) string {
	if f.Kind == ldclient.AIConfigKind {
		return "AI config"
	}
	return "flag"
}

func listVariations(f *ldclient.Flag, indexes []int) string {
	var out []string
	for _, i := range indexes[:min(10, len(indexes))] {
		at := fmt.Sprintf("index %d", i)
		if f.Kind == ldclient.AIConfigKind {
			at = "key " + cmp.Or(f.Variations[i].Key, "unknown")
		}
		out = append(out, fmt.Sprintf("%s (%s, _id %s)", label(f, i), at, f.Variations[i].ID))
	}
	if len(indexes) > 10 {
		out = append(out, fmt.Sprintf("and %d more", len(indexes)-10))
	}
	return strings.Join(out, ", ")
}

const whole = 100_000 // 100 % in LaunchDarkly's thousandths of a percent

// weights turns parts by variation into thousandths by variation id. Parts that
// add up to 100 are percent, parts that add up to 100,000 are thousandths; the
// two cannot be mistaken for each other.
func weights(f *ldclient.Flag, parts map[string]float64) (map[string]int, error) {
	sum := 0.0
	for _, said := range slices.Sorted(maps.Keys(parts)) {
		if parts[said] < 0 {
			return nil, badf("%s: a part of a rollout cannot be negative", said)
		}
		sum += parts[said]
	}
	unit := 0.0
	switch {
	case math.Abs(sum-100) < 0.0005:
		unit = 1000
	case math.Abs(sum-whole) < 0.5:
		unit = 1
	case sum > 0 && sum < 100:
		return nil, badf("the parts of a rollout must add up to 100 percent (or 100000 thousandths), got %s; say which variations the other %s percent get", number(sum), number(math.Round((100-sum)*1000)/1000))
	default:
		return nil, badf("the parts of a rollout must add up to 100 percent (or 100000 thousandths), got %s", number(sum))
	}
	out := map[string]int{}
	fraction := map[string]float64{}
	left := whole
	for _, said := range slices.Sorted(maps.Keys(parts)) {
		i, err := variation(f, said)
		if err != nil {
			return nil, err
		}
		id := f.Variations[i].ID
		if _, twice := out[id]; twice {
			return nil, badf("variation %s is named twice in the rollout", label(f, i))
		}
		exact := math.Round(parts[said]*unit*1e6) / 1e6
		out[id] = int(exact)
		fraction[id] = exact - math.Floor(exact)
		left -= out[id]
	}
	// Three thirds leave a thousandth over; it goes where most was cut off.
	for _, id := range slices.SortedFunc(maps.Keys(out), func(a, b string) int {
		return cmp.Or(cmp.Compare(fraction[b], fraction[a]), cmp.Compare(a, b))
	})[:min(max(left, 0), len(out))] {
		out[id]++
	}
	return out, nil
}

func number(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

// percent writes thousandths of a percent for people.
func percent(thousandths int) string { return number(float64(thousandths)/1000) + " %" }

// serves says in words what a rule or the default rule gives.
func serves(f *ldclient.Flag, s ldclient.RuleServe) string {
	switch {
	case s.Variation != nil:
		return label(f, *s.Variation)
	case s.Rollout != nil:
		var parts []string
		for _, w := range s.Rollout.Variations {
			if w.Weight > 0 {
				parts = append(parts, percent(w.Weight)+" "+label(f, w.Variation))
			}
		}
		out := strings.Join(parts, ", ")
		if k := s.Rollout.ContextKind; k != "" && k != "user" {
			out += " by " + k
		}
		if b := s.Rollout.BucketBy; b != "" && b != "key" {
			out += " by " + b
		}
		return out
	}
	return ""
}

// servesByDefault says what a list's summary tells of the default rule, or of the off variation while targeting is off.
func servesByDefault(f *ldclient.Flag, c ldclient.FlagConfig) string {
	var parts []string
	alone := ""
	for i := range f.Variations {
		v, ok := c.Summary.Variations[strconv.Itoa(i)]
		switch {
		case !ok:
		case !c.On && v.IsOff:
			return label(f, i)
		case c.On && v.Rollout > 0:
			parts = append(parts, percent(v.Rollout)+" "+label(f, i))
		case c.On && v.IsFallthrough:
			alone = label(f, i)
		}
	}
	if len(parts) == 0 {
		return alone
	}
	return strings.Join(parts, ", ")
}
