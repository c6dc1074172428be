package tools

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// pageKeys are the arguments that the address of a LaunchDarkly page can stand for.
var pageKeys = []string{"projectKey", "environmentKey", "flagKey", "segmentKey", "configKey"}

// addressNames are what callers call an address that they pass on besides, or instead of, keys.
var addressNames = []string{"url", "link", "address"}

// readAddresses puts the keys in place of an address of a LaunchDarkly page that
// a person copied from the browser. What the caller gave besides must agree.
func (c *call) readAddresses(args map[string]any) error {
	takes := func(name string) bool {
		return slices.ContainsFunc(c.tool.fields(), func(f field) bool { return f.name == name })
	}
	if !slices.ContainsFunc(pageKeys, takes) {
		return nil
	}
	shown := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(args)) {
		text, _ := args[name].(string)
		beside := slices.Contains(addressNames, strings.ToLower(name)) && !takes(name)
		isKey := slices.Contains(pageKeys, name) && takes(name)
		if text == "" || !beside && !(isKey && isAddress(text)) {
			continue
		}
		page, ok := pageTarget(text, c.ld.BaseURL())
		if !ok || !sameInstance(text, c.ld.BaseURL()) {
			return badf("%s is not the address of a page on %s that shows a project, a flag or a segment; give the keys instead", name, c.ld.BaseURL())
		}
		if isKey && page[name] == "" {
			return badf("%s: the page at this address shows no one %s; give its key", name, strings.TrimSuffix(name, "Key"))
		}
		for key, is := range page {
			if was := shown[key]; was != "" && was != is {
				return badf("two addresses differ in %s: %s and %s; give one of them", key, was, is)
			}
			shown[key] = is
		}
		delete(args, name)
	}
	for _, key := range slices.Sorted(maps.Keys(shown)) {
		if !takes(key) {
			continue
		}
		if given, ok := args[key]; ok && given != "" && given != shown[key] {
			return badf("%s differs from the address, which shows %s; give one of them", key, shown[key])
		}
		args[key] = shown[key]
	}
	return nil
}

// isAddress reports whether s is meant as an address; no key looks like one.
func isAddress(s string) bool {
	s = strings.ToLower(strings.TrimSpace(s))
	return strings.Contains(s, "://") || strings.HasPrefix(s, "javascript:") ||
		slices.ContainsFunc(slices.Collect(maps.Values(ldclient.Regions)), func(base string) bool {
			return strings.HasPrefix(s, strings.TrimPrefix(base, "https://")+"/")
		})
}

// sameInstance refuses a page of another LaunchDarkly instance than the one in
// use, where the same keys mean something else. Behind an own address, any of
// the instances may stand.
func sameInstance(raw, base string) bool {
	bases := slices.Collect(maps.Values(ldclient.Regions))
	if !slices.Contains(bases, base) {
		return true
	}
	_, ok := pageSteps(raw, []string{base})
	return ok
}

// pageTarget reads the address of a page of LaunchDarkly's app, on one of its
// instances or on bases, as the arguments that the page stands for.
func pageTarget(raw string, bases ...string) (map[string]string, bool) {
	page, ok := pageSteps(raw, append(slices.Collect(maps.Values(ldclient.Regions)), bases...))
	if !ok || len(page.steps) < 2 {
		return nil, false
	}
	out := map[string]string{}
	steps := slices.Concat(page.steps, []string{"", ""})
	kind, key := steps[2], steps[3]
	switch {
	case steps[0] == "projects": // /projects/{project}/flags/{flag}/targeting?env=…&selected-env=…
		out["projectKey"] = steps[1]
		out["environmentKey"] = page.environment
	case slices.Contains([]string{"features", "segments", "contexts", "context", "users"}, kind): // /{project}/{environment}/features/{flag}
		out["projectKey"] = steps[0]
		if page.environment == "" || page.environment == steps[1] { // else it is not clear which one is shown
			out["environmentKey"] = steps[1]
		}
	default:
		return nil, false
	}
	switch kind {
	case "flags", "features":
		out["flagKey"] = key
	case "segments":
		out["segmentKey"] = key
	case "ai-configs":
		out["configKey"] = key
	}
	maps.DeleteFunc(out, func(_, v string) bool { return v == "" })
	for _, v := range out {
		if ldclient.CheckKey(v) != nil {
			return nil, false
		}
	}
	return out, true
}

// pagePlace is where an address leads on an instance: its path, and the environment if it names one alone.
type pagePlace struct {
	steps       []string
	environment string
}

func pageSteps(raw string, bases []string) (pagePlace, bool) {
	raw = strings.TrimSpace(raw)
	if len(raw) > 4096 {
		return pagePlace{}, false
	}
	if !strings.Contains(raw, "://") { // browsers hide it
		raw = "https://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil || u.User != nil || u.Opaque != "" {
		return pagePlace{}, false
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return pagePlace{}, false
	}
	for _, b := range bases {
		base, err := url.Parse(b)
		if err != nil || u.Scheme != base.Scheme || !strings.EqualFold(u.Host, base.Host) {
			continue
		}
		path, ok := strings.CutPrefix(u.EscapedPath(), base.EscapedPath()+"/")
		if !ok {
			continue
		}
		place := pagePlace{environment: query.Get("selected-env")}
		if envs := slices.Compact(slices.Sorted(slices.Values(query["env"]))); place.environment == "" && len(envs) == 1 {
			place.environment = envs[0]
		}
		for step := range strings.SplitSeq(strings.TrimSuffix(path, "/"), "/") {
			plain, err := url.PathUnescape(step)
			if err != nil || strings.Trim(plain, ".") == "" { // it would be another page
				return pagePlace{}, false
			}
			place.steps = append(place.steps, plain)
		}
		return place, true
	}
	return pagePlace{}, false
}
