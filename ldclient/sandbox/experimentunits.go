package sandbox

import "net/http"

// randomizationUnit is a context kind by which experiments of a project may divide.
type randomizationUnit struct {
	Unit    string `json:"randomizationUnit"`
	Default bool   `json:"default"`
}

// units are the project's, user where none was set.
func (p *project) units() []randomizationUnit {
	if len(p.Units) == 0 {
		return []randomizationUnit{{"user", true}}
	}
	return p.Units
}

func (a *Account) getUnits(w http.ResponseWriter, r *http.Request) {
	if p := a.project(w, r); p != nil {
		a.sendUnits(w, p)
	}
}

func (a *Account) sendUnits(w http.ResponseWriter, p *project) {
	send(w, http.StatusOK, map[string]any{"_projectId": p.ID, "_projectKey": p.Key, "_creationDate": p.Created, "randomizationUnits": p.units(),
		"_links": links{"self": linkTo("projects", p.Key, "experimentation-settings")}})
}

func (a *Account) putUnits(w http.ResponseWriter, r *http.Request) {
	p := a.project(w, r)
	if p == nil {
		return
	}
	var in struct {
		Units []randomizationUnit `json:"randomizationUnits"`
	}
	if err := decodeBody(r, &in); err != nil {
		badRequest(w, err)
		return
	}
	for _, u := range in.Units {
		if err := checkContextKind(u.Unit); err != nil {
			refuse(w, err)
			return
		}
	}
	if len(in.Units) == 0 {
		refuse(w, invalid("randomizationUnits must name one at least"))
		return
	}
	p.Units = in.Units
	a.sendUnits(w, p)
}
