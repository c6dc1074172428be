package sandbox

import (
	"bufio"
	"io"
	"net/http"
	"slices"
	"strings"
)

// segmentImport is one upload of keys to a big segment.
type segmentImport struct {
	ID, Mode, Status, Filename string
	Created                    int64
	keys                       []string
}

const (
	importPending  = "pending_approval"
	importComplete = "complete"
)

// bigSegment is the big segment named in the path; when it is none, bigSegment has answered and s is nil.
func (a *Account) bigSegment(w http.ResponseWriter, r *http.Request) (p *project, e *environment, s *segment) {
	p, e, s = a.segment(w, r)
	if s != nil && !s.Unbounded {
		fail(w, http.StatusBadRequest, "invalid_request", "Segment '"+s.Key+"' is not a big segment")
		s = nil
	}
	return
}

func (a *Account) updateBigSegment(w http.ResponseWriter, r *http.Request) {
	p, e, s := a.bigSegment(w, r)
	if s == nil {
		return
	}
	type lists struct{ Add, Remove []string }
	var in struct{ Included, Excluded lists }
	if err := decodeBody(r, &in); err != nil {
		badRequest(w, err)
		return
	}
	next := s.clone()
	var actions []string
	for _, side := range []struct {
		lists
		keys   map[string]bool
		action string
	}{{in.Included, next.BigIncluded, "updateIncluded"}, {in.Excluded, next.BigExcluded, "updateExcluded"}} {
		for _, key := range side.Remove {
			delete(side.keys, key)
		}
		for _, key := range side.Add {
			side.keys[key] = true
		}
		if len(side.Remove)+len(side.Add) > 0 {
			actions = append(actions, side.action)
		}
	}
	err := a.segmentApproval(e, s, actions)
	if err == nil {
		err = a.finishSegment(s, next)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	if next.Version != s.Version {
		c := segmentChange(p, e, s, next, actions, "")
		*s = *next
		a.record(r, c)
	}
	send(w, http.StatusNoContent, nil)
}

func (a *Account) bigSegmentMember(w http.ResponseWriter, r *http.Request) {
	_, _, s := a.bigSegment(w, r)
	if s == nil {
		return
	}
	key := r.PathValue("context")
	if !s.BigIncluded[key] && !s.BigExcluded[key] {
		fail(w, http.StatusNotFound, "not_found", "The segment does not name the context "+key)
		return
	}
	send(w, http.StatusOK, map[string]any{"userKey": key, "included": s.BigIncluded[key], "excluded": s.BigExcluded[key]})
}

// importBigSegment takes a file with one key in each line. It is carried out at
// once, unless it is to wait for approval: then processBigSegmentImport does it.
func (a *Account) importBigSegment(w http.ResponseWriter, r *http.Request) {
	p, e, s := a.bigSegment(w, r)
	if s == nil {
		return
	}
	file, head, err := r.FormFile("file")
	if err != nil {
		badRequest(w, err)
		return
	}
	defer file.Close()
	keys, err := readKeys(file)
	if err != nil {
		badRequest(w, err)
		return
	}
	mode := r.FormValue("mode")
	if mode != "merge" && mode != "replace" {
		refuse(w, invalid("mode must be merge or replace, not '%s'", mode))
		return
	}
	up := &segmentImport{ID: a.uuid(), Mode: mode, Status: importPending, Filename: head.Filename, Created: a.tick(), keys: keys}
	next := s.clone()
	next.Imports = append(next.Imports, up)
	if r.FormValue("waitOnApprovals") != "true" {
		err := a.segmentApproval(e, s, []string{"updateIncluded"})
		if err == nil {
			edit := segmentEdit{a: a, s: next}
			err = edit.process(up)
		}
		if err == nil {
			err = a.finishSegment(s, next)
		}
		if err != nil {
			refuse(w, err)
			return
		}
		c := segmentChange(p, e, s, next, []string{"updateIncluded"}, "")
		*s = *next
		a.record(r, c)
	} else {
		s.Imports = next.Imports
	}
	w.Header().Set("Location", linkTo("segments", p.Key, e.Key, s.Key, "imports", up.ID).Href)
	send(w, http.StatusNoContent, nil)
}

func readKeys(file io.Reader) ([]string, error) {
	var keys []string
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if key := strings.Trim(strings.TrimSpace(lines.Text()), `",`); key != "" {
			keys = append(keys, key)
		}
	}
	return keys, lines.Err()
}

func (e *segmentEdit) processImport(in params) *apiError {
	if in.ImportID == "" {
		return in.missing("importId")
	}
	i := slices.IndexFunc(e.s.Imports, func(up *segmentImport) bool { return up.ID == in.ImportID })
	if i < 0 {
		return invalid("unknown importId '%s'", in.ImportID)
	}
	next := *e.s.Imports[i]
	e.s.Imports[i] = &next
	return e.process(&next)
}

func (e *segmentEdit) process(up *segmentImport) *apiError {
	if up.Status != importPending {
		return nil
	}
	if up.Mode == "replace" {
		clear(e.s.BigIncluded)
	}
	for _, key := range up.keys {
		e.s.BigIncluded[key] = true
	}
	up.Status = importComplete
	return checkSegment(e.s)
}

func (a *Account) getImport(w http.ResponseWriter, r *http.Request) {
	p, e, s := a.bigSegment(w, r)
	if s == nil {
		return
	}
	i := slices.IndexFunc(s.Imports, func(up *segmentImport) bool { return up.ID == r.PathValue("import") })
	if i < 0 {
		fail(w, http.StatusNotFound, "not_found", "Unknown import")
		return
	}
	up := s.Imports[i]
	send(w, http.StatusOK, map[string]any{
		"id": up.ID, "segmentKey": s.Key, "creationTime": up.Created, "mode": up.Mode, "status": up.Status,
		"files":  []map[string]string{{"filename": up.Filename, "status": up.Status}},
		"_links": links{"self": linkTo("segments", p.Key, e.Key, s.Key, "imports", up.ID), "parent": linkTo("segments", p.Key, e.Key, s.Key)},
	})
}
