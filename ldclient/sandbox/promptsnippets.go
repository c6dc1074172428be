package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

func (a *Account) snippetRoutes() {
	const snippets = "/projects/{project}/ai-configs/prompt-snippets"
	a.route("GET "+snippets, a.listSnippets)
	a.route("POST "+snippets, a.createSnippet)
	a.route("GET "+snippets+"/{snippet}", a.getSnippet)
	a.route("PATCH "+snippets+"/{snippet}", a.updateSnippet)
	a.route("DELETE "+snippets+"/{snippet}", a.deleteSnippet)
	a.route("GET "+snippets+"/{snippet}/versions", a.listSnippetVersions)
	a.route("GET "+snippets+"/{snippet}/references", a.listSnippetReferences)
}

// promptSnippet is text that several variations share. They name the version that they use.
type promptSnippet struct {
	Key      string
	Versions []snippetVersion // oldest first
	Uses     []variationUse   // by variations, whatever they say
	maintained
}

type snippetVersion struct {
	Version                 int
	Created                 int64
	Name, Description, Text string
	Tags                    []string
}

// variationUse is a variation that uses a version of something.
type variationUse struct {
	Config, Variation string // keys; "" for the first variation
	Version           int
}

func (s *promptSnippet) latest() snippetVersion { return s.Versions[len(s.Versions)-1] }

func (p *project) snippet(key string) *promptSnippet {
	if i := slices.IndexFunc(p.Snippets, func(s *promptSnippet) bool { return s.Key == key }); i >= 0 {
		return p.Snippets[i]
	}
	return nil
}

type snippetRep struct {
	Links       links    `json:"_links"`
	Key         string   `json:"key"`
	Maintainer  any      `json:"_maintainer,omitempty"`
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	Text        string   `json:"text"`
	Tags        []string `json:"tags"`
	Version     int      `json:"version"`
	CreatedAt   int64    `json:"createdAt"`
}

func (a *Account) snippetRep(p *project, s *promptSnippet, v snippetVersion) snippetRep {
	list := []string{"projects", p.Key, "ai-configs", "prompt-snippets"}
	return snippetRep{links{"self": linkTo(append(slices.Clip(list), s.Key)...), "parent": linkTo(list...)},
		s.Key, a.maintainerOf(s.maintained), v.Name, v.Description, v.Text, filled(v.Tags), v.Version, v.Created}
}

// namedSnippet finds the snippet named in the path; it answers and returns nil where there is none.
func (a *Account) namedSnippet(w http.ResponseWriter, r *http.Request) (*project, *promptSnippet) {
	return inPath(a, w, r, "prompt snippet", "snippet", (*project).snippet)
}

func (a *Account) listSnippets(w http.ResponseWriter, r *http.Request) {
	p := a.project(w, r)
	if p == nil {
		return
	}
	found, err := filterAndSort(r, p.Snippets, func(s *promptSnippet, f fieldFilter) (bool, error) {
		v := s.latest()
		switch f.field {
		case "query":
			return containsFold(s.Key, f.value) || containsFold(v.Name, f.value), nil
		case "tags":
			return hasTags(v.Tags, f.value), nil
		}
		return false, fmt.Errorf("invalid filter field %q", f.field)
	}, nil)
	if err != nil {
		badRequest(w, err)
		return
	}
	sendPage(w, r, found, anyLimit, func(s *promptSnippet) snippetRep { return a.snippetRep(p, s, s.latest()) })
}

func (a *Account) getSnippet(w http.ResponseWriter, r *http.Request) {
	if p, s := a.namedSnippet(w, r); s != nil {
		send(w, http.StatusOK, a.snippetRep(p, s, s.latest()))
	}
}

func (a *Account) listSnippetVersions(w http.ResponseWriter, r *http.Request) {
	if p, s := a.namedSnippet(w, r); s != nil {
		sendPage(w, r, s.Versions, anyLimit, func(v snippetVersion) snippetRep { return a.snippetRep(p, s, v) })
	}
}

type snippetFields struct {
	Name           *string   `json:"name"`
	Description    *string   `json:"description"`
	Text           *string   `json:"text"`
	Tags           *[]string `json:"tags"`
	MaintainerID   *string   `json:"maintainerId"`
	MaintainerTeam *string   `json:"maintainerTeamKey"`
}

// into is a snippet's next version by these fields.
func (in snippetFields) into(v snippetVersion) (snippetVersion, *apiError) {
	given(&v.Name, in.Name)
	given(&v.Description, in.Description)
	given(&v.Text, in.Text)
	given(&v.Tags, in.Tags)
	switch {
	case strings.TrimSpace(v.Name) == "":
		return v, invalid("name is required")
	case v.Text == "":
		return v, invalid("text is required")
	}
	return v, nil
}

func given[T any](old, to *T) {
	if to != nil {
		*old = *to
	}
}

func (a *Account) createSnippet(w http.ResponseWriter, r *http.Request) {
	p, key, in := posted[snippetFields](a, w, r)
	if p == nil {
		return
	}
	s := &promptSnippet{Key: key}
	v, err := in.into(snippetVersion{Version: 1})
	switch {
	case err != nil:
	case p.snippet(key) != nil:
		err = conflict("A prompt snippet with key %s already exists", key)
	default:
		err = a.maintain(&s.maintained, in.MaintainerID, in.MaintainerTeam)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	v.Created = a.tick()
	s.Versions = []snippetVersion{v}
	p.Snippets = append(p.Snippets, s)
	rep := a.snippetRep(p, s, v)
	a.recordPart(r, p, "prompt-snippet", s.Key, v.Name, "createPromptSnippet", "created the prompt snippet", nil, rep)
	send(w, http.StatusCreated, rep)
}

func (a *Account) updateSnippet(w http.ResponseWriter, r *http.Request) {
	p, s := a.namedSnippet(w, r)
	if s == nil {
		return
	}
	var in snippetFields
	if err := decodeBody(r, &in); err != nil {
		badRequest(w, err)
		return
	}
	before := a.snippetRep(p, s, s.latest())
	v, err := in.into(s.latest())
	if err == nil {
		err = a.maintain(&s.maintained, in.MaintainerID, in.MaintainerTeam)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	v.Version, v.Created = v.Version+1, a.tick()
	s.Versions = append(s.Versions, v)
	after := a.snippetRep(p, s, v)
	a.recordPart(r, p, "prompt-snippet", s.Key, v.Name, "updatePromptSnippet", "updated the prompt snippet", before, after)
	send(w, http.StatusOK, after)
}

func (a *Account) deleteSnippet(w http.ResponseWriter, r *http.Request) {
	p, s := a.namedSnippet(w, r)
	if s == nil {
		return
	}
	p.Snippets = slices.DeleteFunc(p.Snippets, func(other *promptSnippet) bool { return other == s })
	a.recordPart(r, p, "prompt-snippet", s.Key, s.latest().Name, "deletePromptSnippet", "deleted the prompt snippet", a.snippetRep(p, s, s.latest()), nil)
	send(w, http.StatusNoContent, nil)
}

func (a *Account) seedSnippets(shop *project, ago func(time.Duration) int64) {
	shop.Snippets = []*promptSnippet{
		{Key: "tone-of-voice", maintained: maintained{MaintainerTeam: "growth"},
			Uses: []variationUse{{"product-summary", "", 1}, {"support-agent", "", 2}},
			Versions: []snippetVersion{
				{1, ago(50 * day), "Tone of voice", "How the shop speaks", "Be brief and friendly.", []string{"brand"}},
				{2, ago(20 * day), "Tone of voice", "How the shop speaks", "Be brief, friendly and never pushy.", []string{"brand"}},
			}},
		{Key: "refund-policy", Versions: []snippetVersion{
			{1, ago(30 * day), "Refund policy", "", "Orders can be returned within 30 days.", []string{"legal", "support"}},
		}},
	}
}
