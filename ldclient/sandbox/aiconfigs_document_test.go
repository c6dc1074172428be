package sandbox

import (
	"strconv"
	"time"
)

func init() {
	moreSamples = append(moreSamples, func(*Account) map[string][]string {
		return map[string][]string{"config": {"product-summary"}, "variation": {"short", "detailed"}}
	})
	const list = "/projects/{project}/ai-configs"
	queries[list] = []string{"limit=1&offset=1"}
	now := time.Now()
	used := "env=production&from=" + strconv.FormatInt(now.Add(-30*day).UnixMilli(), 10) + "&to=" + strconv.FormatInt(now.UnixMilli(), 10)
	for _, path := range []string{list + "/{config}/metrics", list + "/{config}/metrics-by-variation"} {
		asking[path], queries[path] = true, []string{used}
	}
}
