package tools

import "strings"

// unwrapAI takes the arguments for AI configs out of the body that LaunchDarkly's
// older local server wrapped them in, such as AIConfigVariationPost, as far as
// they are not given beside it.
func unwrapAI(args map[string]any) {
	for name, v := range args {
		inner, ok := v.(map[string]any)
		if !ok || !strings.HasPrefix(name, "AIConfig") || !strings.HasSuffix(name, "Post") && !strings.HasSuffix(name, "Patch") {
			continue
		}
		for field, value := range inner {
			if _, given := args[field]; given {
				return // it is not clear which one is meant, and the check says what is unknown
			}
			if field == "model" {
				if _, fits := value.(map[string]any); !fits {
					return
				}
			}
		}
		delete(args, name)
		for field, value := range inner {
			model, isModel := value.(map[string]any)
			if field != "model" || !isModel {
				args[field] = value
				continue
			}
			for part, value := range model {
				args[part] = value
			}
		}
	}
}
