package sandbox

import (
	"net/http"
	"strings"
)

// entity finds the object that a path names and answers when the user may not do that with it.
func (g *org) entity(w http.ResponseWriter, r *http.Request, need trait) (*sobject, bool) {
	o, ok := g.object(r.PathValue("object"))
	switch {
	case !ok:
		writeRefusal(w, errNoResource)
	case o.is(denied):
		writeDataError(w, http.StatusForbidden, "INSUFFICIENT_ACCESS", "insufficient access rights on entity: "+o.name)
	case need != 0 && !o.is(need):
		if need == retrieveable {
			writeRefusal(w, errNoResource)
		} else {
			writeDataError(w, http.StatusBadRequest, "INVALID_TYPE_FOR_OPERATION", "entity type "+o.name+" does not support this operation")
		}
	default:
		return o, true
	}
	return nil, false
}

// record finds the record that a path names, deleted ones too, or answers.
func (g *org) record(w http.ResponseWriter, r *http.Request, need trait) (view, bool) {
	o, ok := g.entity(w, r, need)
	if !ok {
		return view{}, false
	}
	id := r.PathValue("id")
	if full, valid := fullID(id); valid {
		if v, ok := g.find(g.changes.snapshot(), o, full); ok {
			return v, true
		}
	}
	writeDataError(w, http.StatusNotFound, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: "+clipText(id, 80))
	return view{}, false
}

// showObject answers with what an object is and which of its records the user saw last: none.
func (g *org) showObject(w http.ResponseWriter, r *http.Request, _ session) {
	o, ok := g.object(r.PathValue("object"))
	if !ok {
		writeRefusal(w, errNoResource)
		return
	}
	writeValue(w, http.StatusOK, struct {
		ObjectDescribe entityDescription `json:"objectDescribe"`
		RecentItems    []string          `json:"recentItems"`
	}{o.describe(r.PathValue("version")), []string{}})
}

// showRecord answers with a record's fields, those that the parameter fields lists or all.
func (g *org) showRecord(w http.ResponseWriter, r *http.Request, _ session) {
	v, ok := g.record(w, r, retrieveable)
	if !ok {
		return
	}
	if v.deleted() {
		writeDataError(w, http.StatusNotFound, "NOT_FOUND", "The requested resource does not exist")
		return
	}
	out, err := v.selected(r.URL.Query().Get("fields"))
	if err != nil {
		writeRefusal(w, err)
		return
	}
	answerJSON(w, func(b []byte) []byte { return v.appendRecord(b, r.PathValue("version"), out) })
}

// selected reads a list of fields, empty for all. Id is always among them.
func (v *view) selected(list string) ([]*output, *dataError) {
	var out []*output
	if strings.TrimSpace(list) == "" {
		for _, f := range v.object.fields {
			out = append(out, &output{name: f.name, field: f})
		}
		return out, nil
	}
	c := &soqlCompiler{org: v.org, snap: v.snap, object: v.object, query: &soqlQuery{text: list}}
	known := map[string]bool{}
	for _, name := range append(commaList([]string{list}), "Id") {
		if known[strings.ToLower(name)] {
			continue
		}
		known[strings.ToLower(name)] = true
		col, err := c.column(soqlPath{parts: strings.Split(name, ".")})
		if err == nil {
			err = c.addOutput(&out, col, 0)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// savedRecord is the answer to a record that was made.
type savedRecord struct {
	ID      string   `json:"id"`
	Success bool     `json:"success"`
	Errors  []string `json:"errors"`
	Created *bool    `json:"created,omitempty"`
}

// createRecord answers POST …/sobjects/{object}.
func (g *org) createRecord(w http.ResponseWriter, r *http.Request, s session) {
	o, ok := g.entity(w, r, createable)
	if !ok {
		return
	}
	fields, err := readFields(w, r)
	if err != nil {
		writeRefusal(w, err)
		return
	}
	id, err := g.makeRecord(o, fields, s.account)
	if err != nil {
		writeRefusal(w, err)
		return
	}
	writeValue(w, http.StatusCreated, savedRecord{ID: id, Success: true, Errors: []string{}})
}

// updateRecord answers PATCH …/sobjects/{object}/{id}.
func (g *org) updateRecord(w http.ResponseWriter, r *http.Request, s session) {
	v, ok := g.record(w, r, updateable)
	if !ok {
		return
	}
	fields, err := readFields(w, r)
	if err == nil {
		err = g.editRecord(v.object, v.row, fields, s.account)
	}
	if err != nil {
		writeRefusal(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// deleteRecord answers DELETE …/sobjects/{object}/{id}.
func (g *org) deleteRecord(w http.ResponseWriter, r *http.Request, s session) {
	v, ok := g.record(w, r, deletable)
	if !ok {
		return
	}
	if err := g.dropRecord(v.object, v.row, s.account); err != nil {
		writeRefusal(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
