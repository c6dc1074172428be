package sandbox

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// holdout keeps a part of an environment's contexts out of experiments.
type holdout struct {
	ID          string
	Environment string
	Status      string // created, enabled, running or ended
	Amount      string // percent
	Created     int64
	Updated     int64
	Base        *experiment // has the holdout's key, name and description
}

type holdoutRow struct {
	ID          string       `json:"_id"`
	Key         string       `json:"key"`
	Name        string       `json:"name"`
	Status      string       `json:"status"`
	Created     int64        `json:"createdAt"`
	Updated     int64        `json:"updatedAt"`
	Experiments []relatedRep `json:"experiments"`
}

type relatedRep struct {
	Key         string `json:"key"`
	Name        string `json:"name"`
	Environment string `json:"environment"`
}

type holdoutRep struct {
	ID          string          `json:"_id"`
	Status      string          `json:"status"`
	Description string          `json:"description"`
	Amount      string          `json:"holdoutAmount"`
	Created     int64           `json:"createdAt"`
	Updated     int64           `json:"updatedAt"`
	Base        experimentRep   `json:"baseExperiment"`
	Experiments []relatedRep    `json:"experiments,omitempty"`
	Related     []experimentRep `json:"relatedExperiments,omitempty"`
	Dirty       *bool           `json:"isDirty,omitempty"`
}

func (p *project) holdoutByID(id string) *holdout {
	return p.holdoutWhere(func(h *holdout) bool { return h.ID == id })
}

func (p *project) holdoutWhere(is func(*holdout) bool) *holdout {
	i := slices.IndexFunc(p.Holdouts, is)
	if i < 0 {
		return nil
	}
	return p.Holdouts[i]
}

// held are the experiments that a holdout keeps contexts out of.
func (p *project) held(h *holdout) []*experiment {
	var out []*experiment
	for _, x := range p.Experiments {
		if x.HoldoutID == h.ID {
			out = append(out, x)
		}
	}
	return out
}

func (p *project) relatedReps(h *holdout) []relatedRep {
	out := []relatedRep{}
	for _, x := range p.held(h) {
		out = append(out, relatedRep{x.Key, x.Name, x.Environment})
	}
	return out
}

func (p *project) holdoutRep(h *holdout, shown func(string) bool) holdoutRep {
	return holdoutRep{ID: h.ID, Status: h.Status, Description: h.Base.Description, Amount: h.Amount, Created: h.Created, Updated: h.Updated,
		Base: p.experimentRep(h.Base, shown), Experiments: p.relatedReps(h)}
}

func (a *Account) listHoldouts(w http.ResponseWriter, r *http.Request) {
	p, e := a.experimenting(w, r)
	if e == nil {
		return
	}
	found := slices.DeleteFunc(slices.Clone(p.Holdouts), func(h *holdout) bool { return h.Environment != e.Key })
	sendCounted(w, r, found, func(h *holdout) holdoutRow {
		return holdoutRow{h.ID, h.Base.Key, h.Base.Name, h.Status, h.Created, h.Updated, p.relatedReps(h)}
	})
}

// holdout finds the one named in the path; it answers and returns nil where there is none.
func (a *Account) holdout(w http.ResponseWriter, r *http.Request) (*project, *holdout) {
	p, e := a.experimenting(w, r)
	if e == nil {
		return p, nil
	}
	key, id := r.PathValue("holdout"), r.PathValue("holdoutId")
	h := p.holdoutWhere(func(h *holdout) bool { return h.Environment == e.Key && (h.Base.Key == key || h.ID == id) })
	if h == nil {
		fail(w, http.StatusNotFound, "not_found", "Unknown holdout "+key+id)
	}
	return p, h
}

func (a *Account) getHoldout(w http.ResponseWriter, r *http.Request) {
	p, h := a.holdout(w, r)
	if h == nil {
		return
	}
	shown, err := expanded(r)
	if err != nil {
		refuse(w, err)
		return
	}
	rep := p.holdoutRep(h, shown)
	if r.PathValue("holdoutId") == "" {
		dirty := false
		for _, x := range p.held(h) {
			rep.Related = append(rep.Related, p.experimentRep(x, shown))
			dirty = dirty || h.Status == iterationRunning && x.of(iterationRunning) != nil
		}
		rep.Experiments, rep.Dirty = nil, &dirty
	}
	send(w, http.StatusOK, rep)
}

func (a *Account) createHoldout(w http.ResponseWriter, r *http.Request) {
	p, e := a.experimenting(w, r)
	if e == nil {
		return
	}
	var in struct {
		Key, Name, Description, RandomizationUnit, HoldoutAmount, PrimaryMetricKey, PrerequisiteFlagKey, MaintainerID string
		Attributes                                                                                                    []string
		Metrics                                                                                                       []iterationMetric
	}
	if err := decodeBody(r, &in); err != nil {
		badRequest(w, err)
		return
	}
	if err := checkKey(in.Key, 256); err != nil {
		badRequest(w, err)
		return
	}
	amount, bad := strconv.ParseFloat(in.HoldoutAmount, 64)
	switch {
	case in.Name == "" || bad != nil || amount <= 0 || amount > 100:
		refuse(w, invalid("a holdout needs a name and a holdoutamount above 0 and up to 100"))
		return
	case !p.measures(in.PrimaryMetricKey, false):
		refuse(w, invalid("unknown metric '%s'", in.PrimaryMetricKey))
		return
	case p.holdoutWhere(func(h *holdout) bool { return h.Environment == e.Key && h.Base.Key == in.Key }) != nil:
		refuse(w, invalid("a holdout with key %s already exists", in.Key))
		return
	}
	now := a.tick()
	h := &holdout{ID: a.uuid(), Environment: e.Key, Status: "created", Amount: in.HoldoutAmount, Created: now, Updated: now,
		Base: &experiment{ID: a.uuid(), Key: in.Key, Name: in.Name, Description: in.Description, MaintainerID: in.MaintainerID, Created: now, Environment: e.Key,
			Methodology: "bayesian", DataSource: "launchdarkly", Type: "holdout", Iterations: []*iteration{{ID: a.uuid(), Status: iterationDraft, Created: now,
				iterationFields: iterationFields{PrimarySingle: in.PrimaryMetricKey, Metrics: in.Metrics, RandomizationUnit: in.RandomizationUnit, Attributes: in.Attributes}}}}}
	p.Holdouts = append(p.Holdouts, h)
	a.recordHoldout(r, p, h, "createHoldout", "created the holdout", "", nil)
	send(w, http.StatusCreated, p.holdoutRep(h, everything))
}

func (a *Account) patchHoldout(w http.ResponseWriter, r *http.Request) {
	p, h := a.holdout(w, r)
	if h == nil {
		return
	}
	body, err := readPatch(r)
	if err == nil && !body.Semantic {
		err = invalidPatch("a holdout takes semantic patches only")
	}
	next, base := *h, *h.Base
	var leave []*experiment
	action := ""
	for _, raw := range body.Instructions {
		if err != nil {
			break
		}
		var in params
		if in, err = raw.params(); err != nil {
			break
		}
		switch in.Kind {
		case "updateName":
			action = "updateHoldoutName"
			base.Name, err = in.text()
		case "updateDescription":
			action = "updateHoldoutDescription"
			base.Description, err = in.text()
		case "endHoldout":
			action, next.Status = "updateHoldoutStatus", "ended"
		case "removeExperiment":
			action = "removeExperimentFromHoldout"
			var key string
			if key, err = in.text(); err == nil {
				if x := p.experiment(h.Environment, key); x != nil && x.HoldoutID == h.ID {
					leave = append(leave, x)
				} else {
					err = invalid("experiment '%s' is not in the holdout", key)
				}
			}
		default:
			err = invalid("unknown instruction kind '%s'", in.Kind)
		}
	}
	if err != nil {
		refuse(w, err)
		return
	}
	before := jsonValue(p.holdoutRep(h, everything))
	for _, x := range leave {
		x.HoldoutID = ""
	}
	*h, *h.Base = next, base
	h.Updated = a.tick()
	a.recordHoldout(r, p, h, action, "updated the holdout", body.Comment, before)
	send(w, http.StatusOK, p.holdoutRep(h, everything))
}

func (a *Account) recordHoldout(r *http.Request, p *project, h *holdout, action, verb, comment string, before json.RawMessage) {
	a.record(r, change{Kind: "holdout", Name: h.Base.Name, Resource: p.spec() + ":env/" + h.Environment + ":holdout/" + h.Base.Key, Actions: []string{action}, Verb: verb,
		Comment: comment, Before: before, After: jsonValue(p.holdoutRep(h, everything)), ParentName: p.Name, Parent: p.spec() + ":env/" + h.Environment})
}

// layer lets experiments that reserve parts of it run on contexts of their own.
type layer struct {
	Key               string                 `json:"key"`
	Name              string                 `json:"name"`
	Description       string                 `json:"description"`
	Created           int64                  `json:"createdAt"`
	RandomizationUnit string                 `json:"randomizationUnit,omitempty"`
	Environments      map[string]layerConfig `json:"environments,omitempty"`
}

type layerConfig struct {
	Reservations []reservation `json:"reservations"`
}

type reservation struct {
	Experiment string `json:"experimentKey"`
	Flag       string `json:"flagKey"`
	Percent    int    `json:"reservationPercent"`
}

// bare is the layer without what has to be asked for.
func (l *layer) bare() layer {
	out := *l
	out.Environments = nil
	return out
}

func (l *layer) holds(experiment string) bool {
	for _, c := range l.Environments {
		if slices.ContainsFunc(c.Reservations, func(x reservation) bool { return x.Experiment == experiment }) {
			return true
		}
	}
	return false
}

func (a *Account) listLayers(w http.ResponseWriter, r *http.Request) {
	p := a.project(w, r)
	if p == nil {
		return
	}
	key := ""
	if filter := r.URL.Query().Get("filter"); filter != "" {
		rest, ok := strings.CutPrefix(filter, "reservations.experimentKey contains ")
		if key = strings.Trim(rest, `" `); !ok || key == "" {
			refuse(w, invalid("invalid filter '%s'", filter))
			return
		}
	}
	items := []layer{}
	for _, l := range p.Layers {
		switch {
		case key == "":
			items = append(items, l.bare())
		case l.holds(key):
			items = append(items, *l)
		}
	}
	send(w, http.StatusOK, map[string]any{"items": items, "totalCount": len(items), "_links": links{"self": requestLink(r, r.URL.Query())}})
}

func (a *Account) createLayer(w http.ResponseWriter, r *http.Request) {
	p := a.project(w, r)
	if p == nil {
		return
	}
	var in layer
	if err := decodeBody(r, &in); err != nil {
		badRequest(w, err)
		return
	}
	if err := checkKey(in.Key, 256); err != nil {
		badRequest(w, err)
		return
	}
	if in.Name == "" || slices.ContainsFunc(p.Layers, func(l *layer) bool { return l.Key == in.Key }) {
		refuse(w, invalid("a layer needs a name and a key of its own"))
		return
	}
	l := &layer{Key: in.Key, Name: in.Name, Description: in.Description, Created: a.tick(), Environments: map[string]layerConfig{}}
	p.Layers = append(p.Layers, l)
	a.recordLayer(r, p, l, "createLayer", "created the layer", "", nil)
	send(w, http.StatusCreated, l.bare())
}

func (a *Account) patchLayer(w http.ResponseWriter, r *http.Request) {
	p := a.project(w, r)
	if p == nil {
		return
	}
	i := slices.IndexFunc(p.Layers, func(l *layer) bool { return l.Key == r.PathValue("layer") })
	if i < 0 {
		fail(w, http.StatusNotFound, "not_found", "Unknown layer key "+r.PathValue("layer"))
		return
	}
	body, err := readPatch(r)
	if err == nil && !body.Semantic {
		err = invalidPatch("a layer takes semantic patches only")
	}
	l, action := cloneOf(p.Layers[i]), "updateLayer"
	for _, raw := range body.Instructions {
		if err != nil {
			break
		}
		var in params
		if in, err = raw.params(); err != nil {
			break
		}
		switch {
		case in.Kind == "updateName" && in.Name != nil && *in.Name != "":
			l.Name = *in.Name
		case in.Kind == "updateDescription" && in.Description != nil:
			l.Description = *in.Description
		case in.Kind == "updateExperimentReservation" || in.Kind == "removeExperiment":
			action = "updateLayerConfiguration"
			err = l.reserve(p, body.EnvironmentKey, in)
		default:
			err = invalid("instruction kind '%s' is unknown or lacks a parameter", in.Kind)
		}
	}
	if err != nil {
		refuse(w, err)
		return
	}
	before := jsonValue(p.Layers[i])
	p.Layers[i] = l
	a.recordLayer(r, p, l, action, "updated the layer", body.Comment, before)
	if body.EnvironmentKey == "" {
		send(w, http.StatusOK, l.bare())
		return
	}
	send(w, http.StatusOK, l)
}

// reserve sets or removes an experiment's part of the layer.
func (l *layer) reserve(p *project, environment string, in params) *apiError {
	x := p.experiment(environment, in.ExperimentKey)
	if x == nil {
		return invalid("unknown experimentKey '%s' in environment '%s'", in.ExperimentKey, environment)
	}
	list := slices.DeleteFunc(l.Environments[environment].Reservations, func(r reservation) bool { return r.Experiment == x.Key })
	if in.Kind == "updateExperimentReservation" {
		sum := 0
		for _, r := range list {
			sum += r.Percent
		}
		if in.ReservationPercent == nil || *in.ReservationPercent < 0 || sum+*in.ReservationPercent > 100 {
			return invalid("reservationPercent must be a number from 0 to what the layer has left, %d", 100-sum)
		}
		flagKey := ""
		for key := range x.current().Flags {
			flagKey = max(flagKey, key)
		}
		list = append(list, reservation{x.Key, flagKey, *in.ReservationPercent})
	}
	if l.Environments == nil {
		l.Environments = map[string]layerConfig{}
	}
	l.Environments[environment] = layerConfig{list}
	return nil
}

func (a *Account) recordLayer(r *http.Request, p *project, l *layer, action, verb, comment string, before json.RawMessage) {
	a.record(r, change{Kind: "layer", Name: l.Name, Resource: p.spec() + ":layer/" + l.Key, Actions: []string{action}, Verb: verb, Comment: comment,
		Before: before, After: jsonValue(l), ParentName: p.Name, Parent: p.spec()})
}
