package sandbox

import (
	"net/http"
	"regexp"
	"strings"
)

// Bounds of a search.
const (
	maxSearched = 100_000 // records looked at, of each object, from the newest on
	maxFound    = 2_000
)

// soslForm is the part of SOSL that the sandbox knows: what to find, in which fields, and in which objects.
var soslForm = regexp.MustCompile(`(?is)^\s*FIND\s*\{((?:[^{}\\]|\\.)*)\}(?:\s+IN\s+(ALL|NAME|EMAIL|PHONE|SIDEBAR)\s+FIELDS)?(?:\s+RETURNING\s+(.+?))?(?:\s+LIMIT\s+([0-9]{1,4}))?\s*$`)

// soslSource is one object of RETURNING, with its fields.
var soslSource = regexp.MustCompile(`(?s)^\s*(\w+)\s*(?:\(([\w\s,.]*)\))?\s*(?:,|$)`)

// searched is an object to look in.
type searched struct {
	object *sobject
	out    []*output
}

// search answers GET …/search?q= with the records whose names have all words. * stands for any characters.
func (g *org) search(w http.ResponseWriter, r *http.Request, _ session) {
	parts := soslForm.FindStringSubmatch(r.URL.Query().Get("q"))
	if parts == nil || len(strings.TrimSpace(parts[1])) < 2 {
		writeRefusal(w, badSearch("No search term found. The search term must be enclosed in braces."))
		return
	}
	snap := g.changes.snapshot()
	sources, err := g.sources(snap, parts[3])
	if err != nil {
		writeRefusal(w, err)
		return
	}
	var found []view
	var outs [][]*output
	patterns := searchPatterns(parts[1])
	for _, s := range sources {
		for _, v := range g.matching(r, snap, s.object, patterns, maxFound-len(found)) {
			found, outs = append(found, v), append(outs, s.out)
		}
	}
	answerJSON(w, func(b []byte) []byte {
		b = append(b, `{"searchRecords":[`...)
		for i, v := range found {
			if i > 0 {
				b = append(b, ',')
			}
			b = v.appendRecord(b, r.PathValue("version"), outs[i])
		}
		return append(b, `]}`...)
	})
}

func badSearch(message string) *dataError {
	return &dataError{status: http.StatusBadRequest, code: "MALFORMED_SEARCH", message: message}
}

// sources reads RETURNING; without it all objects that can be searched are meant.
func (g *org) sources(snap *snapshot, returning string) ([]searched, *dataError) {
	var list []searched
	for _, o := range g.objects {
		if returning == "" && o.is(searchable) && !o.is(hidden) && !o.is(denied) {
			list = append(list, searched{o, []*output{{name: "Id", field: o.field("Id")}}})
		}
	}
	for returning != "" {
		m := soslSource.FindStringSubmatch(returning)
		if m == nil {
			return nil, badSearch("unexpected token: " + clipText(returning, 60))
		}
		returning = returning[len(m[0]):]
		one, err := g.source(snap, m[1], m[2])
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, nil
}

func (g *org) source(snap *snapshot, name, fields string) (searched, *dataError) {
	o, ok := g.object(name)
	if !ok || !o.is(searchable) || o.is(denied) {
		return searched{}, badRequest("INVALID_TYPE", "sObject type '"+clipText(name, 80)+"' is not supported in a search.")
	}
	if strings.TrimSpace(fields) == "" {
		fields = "Id"
	}
	v := g.look(snap, o, 0)
	out, err := v.selected(fields)
	return searched{o, out}, err
}

func searchPatterns(term string) []likePattern {
	var patterns []likePattern
	escape := strings.NewReplacer(`\`, ``, `%`, `\%`, `_`, `\_`, `*`, `%`, `"`, ``)
	for _, word := range strings.Fields(escape.Replace(term)) {
		patterns = append(patterns, newLikePattern("%"+word+"%"))
	}
	return patterns
}

// matching returns the newest records, at most that many, whose names fit all patterns.
func (g *org) matching(r *http.Request, snap *snapshot, o *sobject, patterns []likePattern, most int) []view {
	name := o.nameField()
	if name == nil {
		return nil
	}
	var found []view
	looked := 0
	fits := func(v *view) bool {
		text := v.value(name).text
		for _, p := range patterns {
			if !p.matches(text) {
				return false
			}
		}
		return !v.deleted()
	}
	p := &soqlPlan{org: g, snap: snap, object: o, by: byID, descending: true, until: o.table.rows, match: fits}
	if err := p.prepare(r.Context()); err != nil {
		return nil
	}
	p.match = nil
	_ = p.walk(r.Context(), walkPlace{}, func(row int64, _ walkPlace) bool {
		if v := g.look(snap, o, row); fits(&v) && len(found) < most {
			found = append(found, v)
		}
		looked++
		return looked < maxSearched && len(found) < most
	})
	return found
}
