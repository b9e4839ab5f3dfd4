package sandbox

import (
	"slices"
	"strings"
)

// issueField is one field of an issue: what its schema says, and how its value is written. The pen's stream is set
// for the issue and the field, so that a value does not depend on which other fields are asked for.
type issueField struct {
	id     string
	name   string
	schema string // JsonTypeBean
	hidden bool   // not in *navigable
	write  func(p *pen, b []byte, ref issueRef) []byte
}

// fieldTable is all fields of the site, in the order in which they are written.
type fieldTable struct {
	all  []issueField
	byID map[string]int
}

func newFieldTable() *fieldTable {
	t := &fieldTable{all: slices.Concat(systemFields(), customFields(), archiveFields()), byID: map[string]int{}}
	for i, f := range t.all {
		t.byID[f.id] = i
	}
	return t
}

// fieldSet is what a request asked for: the fields to write, in order, and whether it named any beyond the id.
type fieldSet struct {
	indexes []int
	idOnly  bool
	keyOnly bool
}

// choose reads Jira's field list: ids, *all, *navigable, and -id to leave one out. Unknown ids are ignored.
// An empty list means fallback.
func (t *fieldTable) choose(list []string, fallback string) fieldSet {
	if len(list) == 0 {
		list = []string{fallback}
	}
	chosen := make([]bool, len(t.all))
	if strings.HasPrefix(list[0], "-") {
		list = append([]string{fallback}, list...)
	}
	set := fieldSet{idOnly: true, keyOnly: true}
	for _, item := range list {
		name, exclude := strings.CutPrefix(item, "-")
		switch name {
		case "id":
		case "key", "issuekey":
			set.idOnly = false
		default:
			set.idOnly, set.keyOnly = false, false
			t.mark(chosen, name, !exclude)
		}
	}
	for i, yes := range chosen {
		if yes {
			set.indexes = append(set.indexes, i)
		}
	}
	return set
}

func (t *fieldTable) mark(chosen []bool, name string, on bool) {
	if name == "*all" || name == "*navigable" {
		for i := range t.all {
			if name == "*all" || !t.all[i].hidden {
				chosen[i] = on
			}
		}
		return
	}
	if i, ok := t.byID[name]; ok {
		chosen[i] = on
	}
}

// issue writes one issue with the asked fields.
func (p *pen) issue(b []byte, ref issueRef, set fieldSet) []byte {
	id := p.id(ref)
	if set.idOnly {
		b = append(b, `{"id":`...)
		return append(appendID(b, id), '}')
	}
	b = append(b, `{"expand":"renderedFields,names,schema,operations,editmeta,changelog,versionedRepresentations","id":`...)
	b = appendID(b, id)
	b = p.appendSelf(append(b, ','), ref)
	b = append(b, `","key":"`...)
	b = p.appendKey(b, ref)
	b = append(b, '"')
	if set.keyOnly {
		return append(b, '}')
	}
	b = append(b, `,"fields":{`...)
	for n, i := range set.indexes {
		if n > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, p.fields.all[i].id...)
		b = append(b, '"', ':')
		b = p.field(b, ref, i)
	}
	return append(b, `}}`...)
}

// maxFields bounds the number of fields, so that every field of every issue has its own stream.
const maxFields = 128

// startField sets the pen's stream for one field of one issue.
func (p *pen) startField(ref issueRef, i int) {
	p.rng = newRNG(p.seed, domainIssue, p.index(ref)*maxFields+int64(i))
}

func (p *pen) field(b []byte, ref issueRef, i int) []byte {
	p.startField(ref, i)
	return p.fields.all[i].write(p, b, ref)
}

// fieldText returns the value of a field as it is written, for the evaluation of JQL.
func (p *pen) fieldText(ref issueRef, id string) []byte {
	return p.field(nil, ref, p.fields.byID[id])
}

// expand writes the names and schema members that expand asks for, each with a leading comma.
func (t *fieldTable) expand(b []byte, set fieldSet, members map[string]bool) []byte {
	for _, member := range []string{"names", "schema"} {
		if !members[member] {
			continue
		}
		b = append(b, `,"`+member+`":{`...)
		for n, i := range set.indexes {
			if n > 0 {
				b = append(b, ',')
			}
			f := t.all[i]
			b = append(b, `"`+f.id+`":`...)
			if member == "names" {
				b = appendString(b, f.name)
			} else {
				b = append(b, f.schema...)
			}
		}
		b = append(b, '}')
	}
	return b
}
