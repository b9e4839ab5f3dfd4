package sandbox

import (
	"fmt"
	"strconv"
	"strings"
)

// fragment is a piece of JSON with slots, split once so that filling it is a run of appends.
type fragment struct {
	literals []string // one more than slots
	slots    []slot
}

// slot is what a pen writes at a place of a fragment.
type slot byte

const (
	slotBase   slot = iota // the API's address, inside a string
	slotHome               // the site's address, inside a string
	slotText               // a sentence, inside a string
	slotWord               // a few words, inside a string
	slotCode               // lines of code, inside a string
	slotUserID             // an account id, inside a string
	slotUser               // the name of the account last written, inside a string
	slotKey                // the key of an issue, inside a string
	slotDate               // a day in milliseconds
	slotNumber             // a small number
	slotUUID               // a version 4 UUID, inside a string
)

var slotNames = map[string]slot{
	"base": slotBase, "home": slotHome, "text": slotText, "word": slotWord, "code": slotCode, "userid": slotUserID, "user": slotUser,
	"key": slotKey, "date": slotDate, "number": slotNumber, "uuid": slotUUID,
}

// newFragment splits a template; a slot is written {{name}}. It panics on an unknown one, since templates are constants.
func newFragment(template string) fragment {
	var f fragment
	for {
		literal, rest, found := strings.Cut(template, "{{")
		f.literals = append(f.literals, literal)
		if !found {
			return f
		}
		name, after, _ := strings.Cut(rest, "}}")
		s, ok := slotNames[name]
		if !ok {
			panic(fmt.Sprintf("sandbox: template slot %q is unknown", name))
		}
		f.slots = append(f.slots, s)
		template = after
	}
}

func newFragments(templates []string) []fragment {
	fragments := make([]fragment, len(templates))
	for i, template := range templates {
		fragments[i] = newFragment(template)
	}
	return fragments
}

// pen fills fragments for one request: the addresses of the API and of the site as the client knows them, and the
// stream of chance of the thing being written.
type pen struct {
	*world
	base string // escaped for JSON
	home string // escaped for JSON
	rng  rng
	who  account // whom slotUserID chose
}

func (p *pen) fill(b []byte, f fragment) []byte {
	for i, s := range f.slots {
		b = append(b, f.literals[i]...)
		b = p.write(b, s)
	}
	return append(b, f.literals[len(f.slots)]...)
}

func (p *pen) write(b []byte, s slot) []byte {
	switch s {
	case slotBase:
		return append(b, p.base...)
	case slotHome:
		return append(b, p.home...)
	case slotText:
		return p.sentence(b)
	case slotWord:
		return append(b, p.pick(phrases)...)
	case slotCode:
		return append(b, p.pick(codeSamples)...)
	case slotUserID:
		p.who = p.anybody()
		return append(b, p.who.id...)
	case slotUser:
		return appendEscaped(b, p.who.name)
	case slotKey:
		return p.anyKey(b)
	case slotDate:
		day := p.updatedFrom/86_400_000 + int64(p.rng.below(180))
		return strconv.AppendInt(b, day*86_400_000, 10)
	case slotNumber:
		return strconv.AppendInt(b, int64(p.rng.below(1000)), 10)
	default:
		return p.uuid(b)
	}
}

func (p *pen) pick(from []string) string { return from[p.rng.below(len(from))] }

func (p *pen) anybody() account { return p.accounts[p.rng.below(len(p.accounts))] }

// anyKey writes the key of an issue that exists, or of the first one when there is none.
func (p *pen) anyKey(b []byte) []byte {
	return p.appendKey(b, p.at(int64(p.rng.next()%uint64(max(1, p.issues)))))
}

func (p *pen) uuid(b []byte) []byte {
	const layout = "xxxxxxxx-xxxx-4xxx-axxx-xxxxxxxxxxxx"
	var bits uint64
	for i := range len(layout) {
		if i%16 == 0 {
			bits = p.rng.next()
		}
		c := layout[i]
		if c == 'x' {
			c = hexDigits[bits&15]
		}
		bits >>= 4
		b = append(b, c)
	}
	return b
}
