package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// OrgTime returns the clock of the Salesforce org's records: the time that a write now is stamped with.
func (s *Server) OrgTime() time.Time { return s.org.clock() }

// RecordCount returns how many records of an object the Salesforce org has now, and how many of them more are in the
// recycle bin. It counts them one by one for objects that show a part of others' records, as CaseFeed.
func (s *Server) RecordCount(object string) (live, deleted int, err error) {
	o := s.org.object1(object)
	if o == nil || o.table == nil {
		return 0, 0, fmt.Errorf("sandbox: no records of %q", object)
	}
	snap := s.org.changes.snapshot()
	if o.shows == nil {
		live, deleted = s.org.tally(snap, o)
		return live, deleted, nil
	}
	p := &soqlPlan{org: s.org, snap: snap, object: o, all: true}
	err1 := p.candidates(context.Background(), func(v *view) *dataError {
		switch {
		case !o.shows(v):
		case v.deleted():
			deleted++
		default:
			live++
		}
		return nil
	})
	if err1 != nil {
		return 0, 0, err1
	}
	return live, deleted, nil
}

// tally counts the records of an object that has all of its table's.
func (g *org) tally(snap *snapshot, o *sobject) (live, deleted int) {
	all := o.table.rows
	bin := o.table.binnedRows(0, all)
	for _, row := range snap.rows(o.table) {
		v := g.look(snap, o, row)
		if row >= o.table.rows {
			all++
		} else if o.table.inBin(row) {
			bin--
		}
		if v.deleted() {
			bin++
		}
	}
	return int(all - bin), int(bin)
}

// CreateRecord adds a record to an object of the Salesforce org, in the name of the first account, as a client does
// over the API. Values are those of JSON. It returns the id.
func (s *Server) CreateRecord(object string, fields map[string]any) (string, error) {
	o, ok := s.org.object(object)
	if !ok {
		return "", fmt.Errorf("sandbox: no object %q", object)
	}
	values, err := marshalFields(fields)
	if err != nil {
		return "", err
	}
	id, refused := s.org.makeRecord(o, values, 0)
	if refused != nil {
		return "", refused
	}
	return id, nil
}

// EditRecord writes fields of a record of the Salesforce org, in the name of the first account. Without fields the
// record is only stamped as changed.
func (s *Server) EditRecord(id string, fields map[string]any) error {
	v, err := s.recordOf(id)
	if err != nil {
		return err
	}
	values, err := marshalFields(fields)
	if err != nil {
		return err
	}
	if refused := s.org.editRecord(v.object, v.row, values, 0); refused != nil {
		return refused
	}
	return nil
}

// DeleteRecord puts a record of the Salesforce org into the recycle bin, in the name of the first account.
func (s *Server) DeleteRecord(id string) error {
	v, err := s.recordOf(id)
	if err != nil {
		return err
	}
	if refused := s.org.dropRecord(v.object, v.row, 0); refused != nil {
		return refused
	}
	return nil
}

// ExpireQueries ends the Salesforce org's queries under way: their locators are invalid from now on.
func (s *Server) ExpireQueries() { s.org.cursors.forget() }

// UseRequests counts n requests against the Salesforce org's daily limit.
func (s *Server) UseRequests(n int) { s.org.usage.count(int64(n), s.org.now()) }

func (s *Server) recordOf(id string) (view, error) {
	full, _ := fullID(id)
	v, ok := s.org.lookup(s.org.changes.snapshot(), full)
	if !ok {
		return view{}, fmt.Errorf("sandbox: no record %q", id)
	}
	return v, nil
}

func marshalFields(fields map[string]any) (written, error) {
	values := written{}
	for name, value := range fields {
		raw, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("sandbox: field %s: %w", name, err)
		}
		values[name] = raw
	}
	return values, nil
}
