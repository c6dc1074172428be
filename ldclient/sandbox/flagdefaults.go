package sandbox

import "net/http"

// booleanDefaults are the names and places of a new boolean flag's variations.
type booleanDefaults struct {
	TrueName         string `json:"trueDisplayName"`
	FalseName        string `json:"falseDisplayName"`
	TrueDescription  string `json:"trueDescription"`
	FalseDescription string `json:"falseDescription"`
	OnVariation      int    `json:"onVariation"`
	OffVariation     int    `json:"offVariation"`
}

// getFlagDefaults shows what new flags of a project start with. No route changes
// more of it here than the client-side availability, which is a setting of the project.
func (a *Account) getFlagDefaults(w http.ResponseWriter, r *http.Request) {
	p := a.project(w, r)
	if p == nil {
		return
	}
	send(w, http.StatusOK, map[string]any{
		"_links":                        links{"self": linkTo("projects", p.Key, "flag-defaults"), "parent": linkTo("projects", p.Key)},
		"key":                           p.Key,
		"tags":                          []string{},
		"temporary":                     true,
		"defaultClientSideAvailability": p.DefaultClientSideAvailability,
		"booleanDefaults":               booleanDefaults{TrueName: "True", FalseName: "False", OffVariation: 1},
	})
}
