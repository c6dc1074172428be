package sandbox

import (
	"fmt"
	"strings"
	"time"
)

// seedContexts adds the users, devices and organizations that SDKs have reported lately.
func (a *Account) seedContexts(ago func(time.Duration) int64) {
	see := func(project, env, kind, key, app string, since time.Duration, attributes map[string]any) {
		a.contexts = append(a.contexts, &seenContext{
			Project: project, Env: env, Kind: kind, Key: key, Attributes: attributes, ApplicationID: app, LastSeen: ago(since),
		})
	}
	names := strings.Fields("Amelia Bruno Chidi Dana Elif Farid Greta Hugo Ines Jonas Kaya Luca Mina Noor Oskar Priya Quinn Rosa Sami Tove Uma Viktor")
	cities := []string{"Berlin", "Lyon", "Porto", "Zürich", "Austin", "Leeds"}
	countries := []string{"DE", "FR", "PT", "CH", "US", "GB"}
	plans := []string{"basic", "plus", "premium"}
	for i, name := range names {
		key := fmt.Sprintf("user-%d", 1000+i)
		domain := "example.com"
		switch {
		case i%7 == 3:
			domain = "beta.example.com"
		case i%9 == 4:
			domain = "shop.example.com"
		}
		see("shop", "production", "user", key, "web-shop", time.Duration(i*i)*13*time.Minute+time.Minute, map[string]any{
			"name": name, "email": strings.ToLower(name) + "@" + domain, "country": countries[i%len(countries)],
			"plan": plans[i%len(plans)], "orders": i * 3 % 17, "betaTester": i%7 == 3,
			"groups":  []any{"customers", "cohort-" + string(rune('a'+i%4))},
			"address": map[string]any{"city": cities[i%len(cities)], "zip": fmt.Sprintf("%05d", 10115+i*731)},
		})
	}
	systems := []string{"iOS", "Android", "Windows"}
	for i := range 9 {
		see("shop", "production", "device", fmt.Sprintf("device-%d", i), "web-shop", time.Duration(i)*3*time.Hour+2*time.Minute, map[string]any{
			"os": systems[i%3], "version": fmt.Sprintf("%d.%d.0", 10+i, i%4), "model": fmt.Sprintf("M%d", 20+i%5), "managed": i%4 == 0,
		})
	}
	for i, key := range []string{"acme", "globex", "initech", "umbrella", "hooli", "stark", "wayne", "tyrell"} {
		see("shop", "production", "organization", key, "", time.Duration(i)*7*time.Hour+5*time.Minute, map[string]any{
			"name": strings.ToUpper(key[:1]) + key[1:], "plan": plans[(i+1)%3], "employees": 40 + 170*i, "country": countries[i%len(countries)],
		})
	}
	for i := range 3 {
		see("shop", "staging", "user", fmt.Sprintf("tester-%d", i+1), "web-shop", time.Duration(i+1)*26*time.Hour, map[string]any{
			"name": fmt.Sprintf("Tester %d", i+1), "email": fmt.Sprintf("tester%d@shop.example.com", i+1),
		})
		see("mobile", "production", "user", fmt.Sprintf("user-%d", 1002+i), "shop-app", time.Duration(i+1)*time.Hour, map[string]any{
			"name": names[2+i], "appVersion": fmt.Sprintf("5.%d.0", i),
		})
	}
	// The same user seen by another application.
	see("shop", "production", "user", "user-1002", "support-desk", 30*time.Hour, map[string]any{"name": "Chidi", "email": "chidi@example.com"})
	a.contexts[len(a.contexts)-1].Redacted = []string{"phone"}
	see("shop", "production", "user", "a/b c:d", "web-shop", 90*time.Hour, map[string]any{"name": "Key with a slash", "country": "DE"})
}

func (a *Account) seedRepositories(ago func(time.Duration) int64) {
	reference := func(flag, path string, line int, lines string, aliases ...string) codeReference {
		return codeReference{Project: "shop", Flag: flag, Path: path, Line: line, Lines: lines, Aliases: aliases}
	}
	a.repos = []*repository{
		{
			Name: "shop-web", Type: "github", SourceLink: "https://github.com/example/shop-web", DefaultBranch: "main",
			Head: "9f1c2d7be04a5c3388d1f60b7a9e21c4d05b6e77", Updated: ago(5 * time.Hour),
			References: []codeReference{
				reference("new-checkout", "src/checkout/Checkout.tsx", 41, "  const redesigned = flags.newCheckout;\n  if (redesigned) {\n    return <OnePage />;", "newCheckout"),
				reference("new-checkout", "src/checkout/Checkout.tsx", 88, "  track('checkout', { redesigned: flags.newCheckout });", "newCheckout"),
				reference("new-checkout", "src/checkout/routes.ts", 12, "  guard: 'new-checkout',"),
				reference("dark-mode", "src/theme.ts", 7, "export const dark = () => client.variation('dark-mode', false);"),
				reference("old-search", "src/search/index.ts", 3, "const useOld = client.variation('old-search', false);"),
				reference("search-ranking", "src/search/index.ts", 19, "  ranking: client.variation('search-ranking', 'control'),"),
			},
		},
		{
			Name: "shop/backend", Type: "gitlab", SourceLink: "https://gitlab.com/example/shop-backend", DefaultBranch: "trunk",
			Head: "1b7e90c4d2f8836aa5519be07c64d3f2e8a09c15", Updated: ago(29 * time.Hour),
			References: []codeReference{
				reference("payments-v2", "internal/payments/payments.go", 57, "	if flags.Bool(\"payments-v2\", user) {"),
				reference("new-checkout", "internal/orders/create.go", 23, "	redesigned := flags.Bool(\"new-checkout\", user)"),
				reference("legacy-invoices", "internal/invoices/print.go", 9, "	if flags.Bool(\"legacy-invoices\", system) {"),
			},
		},
	}
}
