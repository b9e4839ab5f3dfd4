package sandbox

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
)

// plainWords are the texts of words.go without the escapes of JSON.
var plainWords = sync.OnceValue(func() (w struct{ sentences, phrases, odd []string }) {
	plain := func(list []string) []string {
		out := make([]string, len(list))
		for i, s := range list {
			if err := json.Unmarshal([]byte(`"`+s+`"`), &out[i]); err != nil {
				panic("sandbox: not the inside of a JSON string: " + s)
			}
		}
		return out
	}
	w.sentences, w.phrases, w.odd = plain(sentences), plain(phrases), plain(oddSummaries)
	return w
})

var (
	firstNames = []string{"Ann", "Bo", "Zoë", "José", "太郎", "Ánh", "Mia", "Seán", "Ольга", "Lars"}
	lastNames  = []string{"Lee", "Krystof", "Brontë-Müller", "山田", "Nguyễn", "O'Neill", "Иванова", "العلي", "Smith", "van den Berg"}
	companies  = []string{"Acme", "Globex", "Initech", "Müller & Söhne", "東京商事", "O'Neill \"Ops\"", "Umbrella", "Hooli", "Stark 100%", "Wayne_Corp"}
	suffixes   = []string{"Inc.", "GmbH", "Ltd", "株式会社", "S.A.", "Group"}
	cities     = []string{"Berlin", "Zürich", "São Paulo", "東京", "Reykjavík", "New York", "Łódź"}
	countries  = []string{"Germany", "Switzerland", "Brazil", "Japan", "Iceland", "United States", "Poland"}
)

// text fills a field with a sentence or two, now and then with nothing.
func sentenceFill(f *sfield) func(v *view) datum {
	return func(v *view) datum {
		r, w := v.chance(f), plainWords()
		if r.oneIn(6) {
			return nothing
		}
		s := w.sentences[r.below(len(w.sentences))]
		if r.oneIn(3) {
			s += "\r\n\r\n" + w.sentences[r.below(len(w.sentences))]
		}
		return textDatum(s)
	}
}

// subjectFill fills a field with a title that is never empty.
func subjectFill(f *sfield) func(v *view) datum {
	return func(v *view) datum {
		r, w := v.chance(f), plainWords()
		switch r.below(10) {
		case 0:
			return textDatum(w.odd[r.below(len(w.odd))])
		case 1:
			return textDatum(actions[r.below(len(actions))] + " " + w.phrases[r.below(len(w.phrases))])
		}
		return textDatum(actions[r.below(len(actions))] + " " + subjects[r.below(len(subjects))])
	}
}

// filled sets how a field is filled by what needs the field itself.
func filled(f *sfield, fill func(f *sfield) func(v *view) datum) *sfield {
	f.fill = fill(f)
	return f
}

// pickFill takes one of a list, nothing for one record in blank; 0 never leaves one blank.
func pickFill(values []string, blank int) func(f *sfield) func(v *view) datum {
	return func(f *sfield) func(v *view) datum {
		return func(v *view) datum {
			r := v.chance(f)
			if blank > 0 && r.oneIn(blank) {
				return nothing
			}
			return textDatum(values[r.below(len(values))])
		}
	}
}

// amountFill makes amounts with cents up to most.
func amountFill(most int, cents bool) func(f *sfield) func(v *view) datum {
	return func(f *sfield) func(v *view) datum {
		return func(v *view) datum {
			r := v.chance(f)
			if r.oneIn(8) {
				return nothing
			}
			if !cents {
				return numberDatum(float64(r.below(most)))
			}
			return numberDatum(float64(r.below(most*100)) / 100)
		}
	}
}

func truthFill(oneIn int) func(f *sfield) func(v *view) datum {
	return func(f *sfield) func(v *view) datum {
		return func(v *view) datum {
			r := v.chance(f)
			return boolDatum(r.oneIn(oneIn))
		}
	}
}

// dateFill makes days around the creation of the record.
func dateFill(f *sfield) func(v *view) datum {
	return func(v *view) datum {
		r := v.chance(f)
		return dateDatum(v.object.table.created(v.row) + int64(r.below(120)-20)*day)
	}
}

// toRow names some record of an object, nothing for one record in blank.
func toRow(object string, blank int) func(f *sfield) func(v *view) datum {
	return func(f *sfield) func(v *view) datum {
		return func(v *view) datum {
			r, to := v.chance(f), v.object1(object)
			if to.table.rows == 0 || (blank > 0 && r.oneIn(blank)) {
				return nothing
			}
			return textDatum(to.table.id(int64(r.next() % uint64(to.table.rows))))
		}
	}
}

// toAny names some record of one of several objects.
func toAny(objects []string, blank int) func(f *sfield) func(v *view) datum {
	return func(f *sfield) func(v *view) datum {
		return func(v *view) datum {
			r := v.chance(f)
			to := v.object1(objects[r.below(len(objects))])
			if to.table.rows == 0 || r.oneIn(blank) {
				return nothing
			}
			return textDatum(to.table.id(int64(r.next() % uint64(to.table.rows))))
		}
	}
}

// object1 returns an object that the org has.
func (g *org) object1(name string) *sobject { return g.byName[strings.ToLower(name)] }

// joined is the parts of a name with spaces between them.
func joined(parts ...string) func(v *view) datum {
	return func(v *view) datum {
		var words []string
		for _, part := range parts {
			if s := v.of(part).text; s != "" {
				words = append(words, s)
			}
		}
		return textDatum(strings.Join(words, " "))
	}
}

// addressFill is the object of an address from its parts.
func addressFill(prefix string) func(v *view) datum {
	return func(v *view) datum {
		b := []byte(`{"city":`)
		b = appendDatum(b, v.of(prefix+"City"), v.object.field(prefix+"City"))
		b = append(b, `,"country":`...)
		b = appendDatum(b, v.of(prefix+"Country"), v.object.field(prefix+"Country"))
		b = append(b, `,"geocodeAccuracy":null,"latitude":null,"longitude":null,"postalCode":`...)
		b = appendDatum(b, v.of(prefix+"PostalCode"), v.object.field(prefix+"PostalCode"))
		b = append(b, `,"state":null,"street":`...)
		b = appendDatum(b, v.of(prefix+"Street"), v.object.field(prefix+"Street"))
		return datum{kind: datumJSON, text: string(append(b, '}'))}
	}
}

// numbered is a name that counts the records, as in INV-00000042.
func numbered(format string) func(v *view) datum {
	return func(v *view) datum { return textDatum(fmt.Sprintf(format, v.row+1)) }
}

func always(d datum) func(v *view) datum { return func(*view) datum { return d } }
