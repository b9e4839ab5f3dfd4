package sandbox

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// maxCollection is how many records one request may write.
const maxCollection = 200

// collection is the body of a request that writes several records.
type collection struct {
	AllOrNone bool      `json:"allOrNone"`
	Records   []written `json:"records"`
}

// collected is what became of one record of a collection.
type collected struct {
	ID      string          `json:"id,omitempty"`
	Success bool            `json:"success"`
	Errors  []collectedFail `json:"errors"`
}

type collectedFail struct {
	StatusCode string   `json:"statusCode"`
	Message    string   `json:"message"`
	Fields     []string `json:"fields"`
}

func collect(id string, err *dataError) collected {
	if err == nil {
		return collected{ID: id, Success: true, Errors: []collectedFail{}}
	}
	return collected{Errors: []collectedFail{{err.code, err.message, append([]string{}, err.fields...)}}}
}

// job is the writing of one record: check tells beforehand whether it would fail.
type job struct {
	check func() *dataError
	do    func() (id string, err *dataError)
}

// writeCollection does the jobs and answers with what became of each. With allOrNone none is done when one would fail.
func writeCollection(w http.ResponseWriter, jobs []job, allOrNone bool) {
	if len(jobs) == 0 || len(jobs) > maxCollection {
		writeRefusal(w, badRequest("EXCEEDED_ID_LIMIT", "record limit reached. cannot submit none or more than 200 records in this operation"))
		return
	}
	results := make([]collected, len(jobs))
	failed := false
	if allOrNone {
		for i, j := range jobs {
			results[i] = collect("", j.check())
			failed = failed || !results[i].Success
		}
	}
	for i, j := range jobs {
		switch {
		case !failed:
			results[i] = collect(j.do())
		case results[i].Success:
			results[i] = collect("", badRequest("ALL_OR_NONE_OPERATION_ROLLED_BACK", "Record rolled back because not all records were valid and the request was using AllOrNone header"))
		}
	}
	writeValue(w, http.StatusOK, results)
}

func readCollection(w http.ResponseWriter, r *http.Request) (collection, bool) {
	var in collection
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequestBytes)).Decode(&in); err != nil {
		writeRefusal(w, badRequest("JSON_PARSER_ERROR", "The HTTP entity body is required to have records, and allOrNone"))
		return in, false
	}
	return in, true
}

// kindOf returns the object that attributes.type of a record names.
func (g *org) kindOf(fields written) (*sobject, *dataError) {
	var attributes struct {
		Type string `json:"type"`
	}
	_ = json.Unmarshal(fields["attributes"], &attributes) // what is none names no object
	o, ok := g.object(attributes.Type)
	if !ok || o.is(denied) {
		return nil, badRequest("INVALID_TYPE", "sObject type '"+clipText(attributes.Type, 80)+"' is not supported.")
	}
	return o, nil
}

// createRecords answers POST …/composite/sobjects.
func (g *org) createRecords(w http.ResponseWriter, r *http.Request, s session) {
	in, ok := readCollection(w, r)
	if !ok {
		return
	}
	var jobs []job
	for _, fields := range in.Records {
		o, err := g.kindOf(fields)
		if err == nil && !o.is(createable) {
			err = badRequest("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "entity type cannot be inserted: "+o.name)
		}
		if err != nil {
			jobs = append(jobs, failing(err))
			continue
		}
		jobs = append(jobs, job{
			check: func() *dataError {
				_, err := g.newValues(o, fields, s.account)
				return err
			},
			do: func() (string, *dataError) { return g.makeRecord(o, fields, s.account) },
		})
	}
	writeCollection(w, jobs, in.AllOrNone)
}

func failing(err *dataError) job {
	return job{func() *dataError { return err }, func() (string, *dataError) { return "", err }}
}

// updateRecords answers PATCH …/composite/sobjects.
func (g *org) updateRecords(w http.ResponseWriter, r *http.Request, s session) {
	in, ok := readCollection(w, r)
	if !ok {
		return
	}
	var jobs []job
	for _, fields := range in.Records {
		id, rest := "", written{}
		for name, value := range fields {
			if strings.EqualFold(name, "id") {
				_ = json.Unmarshal(value, &id) // what is no text is no id
			} else {
				rest[name] = value
			}
		}
		v, err := g.existing(id, updateable)
		if err != nil {
			jobs = append(jobs, failing(err))
			continue
		}
		jobs = append(jobs, job{
			check: func() *dataError { _, err := g.editedValues(v.object, rest); return err },
			do:    func() (string, *dataError) { return v.id(), g.editRecord(v.object, v.row, rest, s.account) },
		})
	}
	writeCollection(w, jobs, in.AllOrNone)
}

// deleteRecords answers DELETE …/composite/sobjects?ids=.
func (g *org) deleteRecords(w http.ResponseWriter, r *http.Request, s session) {
	query := r.URL.Query()
	var jobs []job
	for _, id := range commaList(query["ids"]) {
		v, err := g.existing(id, deletable)
		if err != nil {
			jobs = append(jobs, failing(err))
			continue
		}
		jobs = append(jobs, job{
			check: func() *dataError { return nil },
			do:    func() (string, *dataError) { return v.id(), g.dropRecord(v.object, v.row, s.account) },
		})
	}
	writeCollection(w, jobs, isTrue(query, "allOrNone"))
}

func isTrue(query url.Values, name string) bool { return strings.EqualFold(query.Get(name), "true") }

// showRecords answers POST …/composite/sobjects/{object}: the records with those ids, null for one that is not there.
func (g *org) showRecords(w http.ResponseWriter, r *http.Request, _ session) {
	o, ok := g.entity(w, r, retrieveable)
	if !ok {
		return
	}
	var in struct{ IDs, Fields []string }
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequestBytes)).Decode(&in); err != nil || len(in.IDs) > largestBatch || len(in.Fields) == 0 {
		writeRefusal(w, badRequest("JSON_PARSER_ERROR", "The HTTP entity body is required to have ids, at most 2000, and fields"))
		return
	}
	snap := g.changes.snapshot()
	first := g.look(snap, o, 0)
	out, err := first.selected(strings.Join(in.Fields, ","))
	if err != nil {
		writeRefusal(w, err)
		return
	}
	answerJSON(w, func(b []byte) []byte {
		b = append(b, '[')
		for i, id := range in.IDs {
			if i > 0 {
				b = append(b, ',')
			}
			full, _ := fullID(id)
			if v, ok := g.find(snap, o, full); ok && !v.deleted() {
				b = v.appendRecord(b, r.PathValue("version"), out)
			} else {
				b = append(b, "null"...)
			}
		}
		return append(b, ']')
	})
}

// existing finds a record, not a deleted one, that may be written to.
func (g *org) existing(id string, need trait) (view, *dataError) {
	full, valid := fullID(id)
	if !valid {
		return view{}, badRequest("MALFORMED_ID", "malformed id "+clipText(id, 80), "Id")
	}
	v, ok := g.lookup(g.changes.snapshot(), full)
	switch {
	case !ok || v.object.is(hidden) || v.object.is(denied):
		return view{}, badRequest("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
	case !v.object.is(need):
		return view{}, badRequest("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id")
	case v.deleted():
		return view{}, badRequest("ENTITY_IS_DELETED", "entity is deleted")
	}
	return v, nil
}

// upsertRecord answers PATCH …/sobjects/{object}/{field}/{value}: it edits the record whose external id that is, or
// makes one.
func (g *org) upsertRecord(w http.ResponseWriter, r *http.Request, s session) {
	o, ok := g.entity(w, r, createable)
	if !ok {
		return
	}
	f, value := o.field(r.PathValue("field")), r.PathValue("value")
	if f == nil || !f.is(externalID) {
		writeDataError(w, http.StatusNotFound, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: "+clipText(r.PathValue("field"), 80))
		return
	}
	fields, err := readFields(w, r)
	if err != nil {
		writeRefusal(w, err)
		return
	}
	row, found, err := g.withValue(r, o, f, value)
	made := !found
	var id string
	switch {
	case err != nil:
	case found:
		id, err = o.table.id(row), g.editRecord(o, row, fields, s.account)
	default:
		fields[f.name], _ = json.Marshal(value)
		id, err = g.makeRecord(o, fields, s.account)
	}
	if err != nil {
		writeRefusal(w, err)
		return
	}
	status := http.StatusOK
	if made {
		status = http.StatusCreated
	}
	writeValue(w, status, savedRecord{ID: id, Success: true, Errors: []string{}, Created: &made})
}

// withValue finds the one record whose field holds a text. It looks at all of them.
func (g *org) withValue(r *http.Request, o *sobject, f *sfield, text string) (row int64, found bool, err *dataError) {
	p := &soqlPlan{org: g, snap: g.changes.snapshot(), object: o}
	err = p.candidates(r.Context(), func(v *view) *dataError {
		if !v.deleted() && strings.EqualFold(v.value(f).text, text) {
			row, found = v.row, true
		}
		return nil
	})
	return row, found, err
}
