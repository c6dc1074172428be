package tools

import (
	"slices"
	"strings"
	"unicode"

	"github.com/ld-mcp/ld-mcp/internal/pattern"
	"github.com/ld-mcp/ld-mcp/ldclient"
)

// places are the projects and environments that the arguments of a hosted tool name.
type places struct {
	projects, environments []string
	mentioned, elsewhere   []string // projects and environments in texts, such as resource specifiers
	unclear                string   // an argument that names one in a way that cannot be checked

	// What is named in arguments that the tool is known to take, and what is so alone.
	sureProjects, sureEnvironments []string
	project, environment           string
}

// Endings of names that say what an argument holds, as plainLetters leaves them.
var (
	projectEndings     = []string{"project", "projects", "projectkey", "projectkeys", "projectid", "projectids", "projectname", "projkey", "projkeys", "projid", "proj", "projs"}
	environmentEndings = []string{"env", "envs", "envkey", "envkeys", "envid", "envids", "envname", "environment", "environments", "environmentkey", "environmentkeys", "environmentid", "environmentids", "environmentname"}
)

// placesIn looks for places in arguments. Only what a tool says that it takes narrows what it may reach: the rest may
// mean nothing to it.
func placesIn(args map[string]any, takes map[string]string) *places {
	p, sure := &places{}, &places{}
	p.walk("", args)
	for name, v := range args {
		if _, known := takes[name]; !known {
			continue
		}
		switch name := plainLetters(name); {
		case endsWith(name, environmentEndings):
			sure.add(name, v, &sure.environments)
		case endsWith(name, projectEndings):
			sure.add(name, v, &sure.projects)
		}
	}
	if len(p.projects) == 1 && slices.Equal(p.projects, sure.projects) && p.unclear == "" {
		p.project = p.projects[0]
	}
	if len(p.environments) == 1 && slices.Equal(p.environments, sure.environments) {
		p.environment = p.environments[0]
	}
	p.sureProjects, p.sureEnvironments = sure.projects, sure.environments
	return p
}

// plainLetters makes the same of all spellings of a name.
func plainLetters(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}

func endsWith(name string, endings []string) bool {
	return slices.ContainsFunc(endings, func(e string) bool { return strings.HasSuffix(name, e) })
}

func (p *places) walk(name string, v any) {
	name = plainLetters(name)
	switch {
	case endsWith(name, environmentEndings):
		p.add(name, v, &p.environments)
	case endsWith(name, projectEndings):
		p.add(name, v, &p.projects)
	}
	switch v := v.(type) {
	case string:
		p.read(v)
		var inner any
		if begins := strings.TrimLeft(v, " \t\r\n"); begins != "" && strings.ContainsRune("{[", rune(begins[0])) && decode([]byte(v), &inner) {
			p.walk("", inner)
		}
	case []any:
		for _, inner := range v {
			p.walk("", inner)
		}
	case map[string]any:
		for key, inner := range v {
			p.read(key)
			p.walk(key, inner)
		}
	}
}

// add notes what an argument of a telling name holds: a key, several, or objects with one.
func (p *places) add(name string, v any, to *[]string) {
	switch v := v.(type) {
	case nil:
	case string:
		if ldclient.CheckKey(v) != nil {
			p.unclear = name
		} else if !slices.Contains(*to, v) {
			*to = append(*to, v)
		}
	case []any:
		for _, inner := range v {
			p.add(name, inner, to)
		}
	case map[string]any:
		for _, key := range []string{"key", "id", "name"} {
			if inner, ok := v[key].(string); ok {
				p.add(name, inner, to)
				return
			}
		}
		endings := environmentEndings
		if to == &p.projects {
			endings = projectEndings
		}
		told := false
		for key, inner := range v {
			if endsWith(plainLetters(key), endings) {
				told = true
				p.add(name, inner, to)
			}
		}
		for key := range v {
			if !told { // it is by key
				p.add(name, key, to)
			}
		}
	default:
		p.unclear = name
	}
}

var (
	mentionsProject     = pattern.Of(`\b(?:proj|projects)/([^:;,/\s"'?#]+)`)
	mentionsEnvironment = pattern.Of(`\b(?:env|environments)/([^:;,/\s"'?#]+)`)
)

func (p *places) read(text string) {
	if !strings.Contains(text, "/") {
		return
	}
	for _, m := range mentionsProject().FindAllStringSubmatch(text, -1) {
		p.mentioned = append(p.mentioned, m[1])
	}
	for _, m := range mentionsEnvironment().FindAllStringSubmatch(text, -1) {
		p.elsewhere = append(p.elsewhere, m[1])
	}
}

// target is what a call is about: one environment, one project, or else the whole account.
func (p *places) target(tool string) ldclient.Target {
	t := ldclient.Target{Project: p.project, Kind: hostedSet, Key: tool}
	if p.project != "" {
		t.Environment = p.environment
	}
	return t
}

// within refuses a call that might reach beyond a server's scope. What a
// hosted tool answers cannot be cut to the scope, so a call must lie in it whole.
func (p *places) within(scope ldclient.Scope) error {
	if len(scope.Projects)+len(scope.Environments) == 0 {
		return nil
	}
	switch {
	case p.unclear != "":
		return refuse("This server may only touch a part of the account, and %s cannot be checked against it. Give one key there.", short(p.unclear, maxNamed))
	case len(p.sureProjects) == 0:
		return refuse("This server may only touch %s. A hosted tool answers for all of the account unless its call names a project, and this one names none.", scopeWords(scope))
	case len(scope.Environments) > 0 && len(p.sureEnvironments) == 0:
		return refuse("This server may only touch %s. A hosted tool answers for all environments unless its call names one, and this one names none.", scopeWords(scope))
	}
	for _, project := range slices.Concat(p.projects, p.mentioned) {
		if err := scope.Check(ldclient.Target{Project: project}, false); err != nil {
			return err
		}
	}
	for _, environment := range slices.Concat(p.environments, p.elsewhere) {
		if err := scope.Check(ldclient.Target{Project: p.projects[0], Environment: environment}, true); err != nil {
			return err
		}
	}
	return nil
}

func scopeWords(s ldclient.Scope) string {
	var says []string
	if len(s.Projects) > 0 {
		says = append(says, "projects "+strings.Join(s.Projects, ", "))
	}
	if len(s.Environments) > 0 {
		says = append(says, "environments "+strings.Join(s.Environments, ", "))
	}
	return strings.Join(says, " and ")
}
