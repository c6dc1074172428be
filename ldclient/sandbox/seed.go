package sandbox

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient/policy"
)

// The shop: what a new account holds. All times count back from the account's first clock reading.

const day = 24 * time.Hour

// seed fills the account.
func (a *Account) seed(o Options) {
	start := a.now().UnixMilli()
	ago := func(d time.Duration) int64 { return start - d.Milliseconds() }
	a.past = ago(400 * day)
	a.seedPeople(ago)
	shop := a.seedProject("shop", "Shop", []string{"web"}, []environmentPost{
		{Key: "production", Name: "Production", Color: "417505", Critical: true, Tags: []string{"live"}},
		{Key: "staging", Name: "Staging", Color: "0074b7"},
		{Key: "test", Name: "Test", Color: "f5a623"},
		{Key: "regulated", Name: "Regulated", Color: "a34fde", Critical: true, RequireComments: true, Tags: []string{"live", "audited"}},
	})
	regulated := shop.env("regulated")
	regulated.FlagApprovals.Required = true
	regulated.FlagApprovals.MinNumApprovals = 2
	regulated.SegmentApprovals.Required = true
	mobile := a.seedProject("mobile", "Mobile app", []string{"ios", "android"}, []environmentPost{
		{Key: "production", Name: "Production", Color: "417505", Critical: true},
		{Key: "test", Name: "Test", Color: "f5a623"},
	})
	a.seedSegments(shop, ago)
	history := slices.Concat(a.operations(shop, ago), a.seedFlags(mobile, mobileFlags(), mobileHistory(), ago))
	if o.Flags > 0 {
		a.generateFlags(shop, o.Flags, ago)
	} else {
		history = append(history, a.seedFlags(shop, shopFlags(), slices.Concat(shopHistory(), maintenance()), ago)...)
	}
	a.seedHistory(history)
	a.seedContexts(ago)
	a.seedRepositories(ago)
	a.seedPending(shop, ago)
	a.seedReleases(shop, start, ago)
	a.seedExtinctions(ago)
	for i, seed := range []func(*project, func(time.Duration) int64){a.seedMetrics, a.seedExperiments, a.seedAIConfigs, a.seedAITools, a.seedAgentGraphs, a.seedViews, a.seedIntegrations} {
		a.apart(uint64(i), func() { seed(shop, ago) })
	}
	a.past, a.actor, a.last = 0, nil, start
}

// apart runs do with ids that are counted by themselves, so that what it adds moves no others.
func (a *Account) apart(n uint64, do func()) {
	ids := a.ids
	a.ids = 1<<41 + n<<32
	do()
	a.ids = ids
}

func (a *Account) seedProject(key, name string, tags []string, envs []environmentPost) *project {
	p := a.newProject(key, projectSettings{Name: name, Tags: tags, DefaultClientSideAvailability: clientSide{UsingMobileKey: true}})
	for _, post := range envs {
		e, _, err := a.newEnvironment(p, post)
		if err != nil {
			panic(err) // the seed is wrong
		}
		p.Envs = append(p.Envs, e)
	}
	return p
}

func (a *Account) seedPeople(ago func(time.Duration) int64) {
	a.roles = []*role{
		{Key: "production-approver", Name: "Production approver", Description: "Reviews and applies changes to live environments", BasePermissions: "reader",
			Policy: jsonValue([]policy.Statement{{Effect: "allow", Resources: []string{"proj/shop:env/*;live:flag/*"}, Actions: []string{"reviewApprovalRequest", "applyApprovalRequest"}}})},
		{Key: "mobile-developer", Name: "Mobile developer", Description: "Does everything in the mobile project outside production", BasePermissions: "no_access",
			Policy: jsonValue([]policy.Statement{
				{Effect: "allow", Resources: []string{"proj/mobile"}, Actions: []string{"viewProject"}},
				{Effect: "allow", Resources: []string{"proj/mobile:env/*:flag/*"}, Actions: []string{"*"}},
				{Effect: "deny", Resources: []string{"proj/mobile:env/production:flag/*"}, Actions: []string{"updateOn", "updateRules", "updateFallthrough"}},
			})},
		{Key: "segment-manager", Name: "Segment manager", Description: "Maintains the shop's segments", BasePermissions: "reader",
			Policy: json.RawMessage(`[{"effect":"allow","resources":["proj/shop:env/*:segment/*"],"actions":["*"]}]`)},
	}
	for _, r := range a.roles {
		r.ID = a.objectID()
	}
	people := []struct {
		first, last, role string
		roles, teams      []string
		seen              time.Duration // 0 is never
	}{
		{"Margaret", "Hamilton", "owner", nil, []string{"platform"}, 26 * time.Hour},
		{"Ada", "Lovelace", "writer", nil, []string{"checkout"}, 10 * time.Minute},
		{"Grace", "Hopper", "reader", nil, []string{"growth"}, 3 * time.Hour},
		{"Katherine", "Johnson", "admin", nil, []string{"platform"}, 5 * time.Hour},
		{"Alan", "Turing", "writer", nil, []string{"growth", "checkout"}, 2 * day},
		{"Edsger", "Dijkstra", "reader", []string{"production-approver"}, []string{"platform"}, 8 * day},
		{"Radia", "Perlman", "no_access", []string{"mobile-developer"}, nil, 47 * day},
		{"Mary", "Jackson", "reader", nil, []string{"growth"}, 0},
	}
	for _, p := range people {
		m := &member{
			ID: a.objectID(), Email: strings.ToLower(p.first) + "@example.com", FirstName: p.first, LastName: p.last,
			Role: p.role, CustomRoles: p.roles, Teams: p.teams, Created: a.past,
		}
		if p.seen > 0 {
			m.LastSeen = ago(p.seen)
		}
		a.members = append(a.members, m)
	}
	a.teams = []*team{
		{Key: "checkout", Name: "Checkout", Description: "Cart, payment and orders", Created: a.past, Maintainers: a.members[1:2]},
		{Key: "platform", Name: "Platform", Description: "Keeps the shop running", Roles: []string{"production-approver"}, Created: a.past, Maintainers: a.members[3:4]},
		{Key: "growth", Name: "Growth", Description: "Search, recommendations and campaigns", Created: a.past, Maintainers: a.members[4:5]},
	}
	for _, t := range []struct {
		name, value, ending, role string
		member                    *member
		used                      time.Duration
	}{
		{"Ada's laptop", WriterToken, "", "writer", a.members[1], 10 * time.Minute},
		{"Grace's dashboard", ReaderToken, "", "reader", a.members[2], 3 * time.Hour},
		{"Katherine's terraform", "", "c41d", "admin", a.members[3], day},
		{"Deploy pipeline", "", "9f3a", "writer", nil, 40 * time.Minute},
	} {
		if t.value != "" {
			t.ending = t.value[len(t.value)-4:]
		}
		a.tokens = append(a.tokens, &token{
			ID: a.objectID(), Name: t.name, Value: t.value, Ending: t.ending, Role: t.role, Member: t.member,
			Created: ago(200 * day), LastUsed: ago(t.used),
		})
	}
}
