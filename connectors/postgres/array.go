package postgres

import (
	"encoding/json"
	"errors"
	"strings"
)

var errArray = errors.New("an array value is not in array form")

// array turns the text of an array, {1,NULL,"a \"b\""} with an optional [2:3]= before it, into a JSON array; inner
// braces are inner arrays.
func (c column) array(text string) (any, error) {
	if strings.HasPrefix(text, "[") {
		_, rest, ok := strings.Cut(text, "=")
		if !ok {
			return nil, errArray
		}
		text = rest
	}
	p := arrayParser{column: column{as: c.elem}, rest: text, sep: c.sep}
	out, err := p.array(make([]byte, 0, len(text)+2), 0)
	if err != nil {
		return nil, err
	}
	if p.rest != "" {
		return nil, errArray
	}
	return json.RawMessage(out), nil
}

// maxDimensions is PostgreSQL's own limit (MAXDIM).
const maxDimensions = 6

type arrayParser struct {
	column column // of an element
	rest   string
	sep    byte
}

func (p *arrayParser) array(out []byte, depth int) ([]byte, error) {
	if depth == maxDimensions || !p.skip('{') {
		return nil, errArray
	}
	out = append(out, '[')
	for first := true; !p.skip('}'); first = false {
		if !first {
			if !p.skip(p.sep) {
				return nil, errArray
			}
			out = append(out, ',')
		}
		var err error
		if strings.HasPrefix(p.rest, "{") {
			out, err = p.array(out, depth+1)
		} else {
			out, err = p.element(out)
		}
		if err != nil {
			return nil, err
		}
	}
	return append(out, ']'), nil
}

func (p *arrayParser) skip(c byte) bool {
	if p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

func (p *arrayParser) element(out []byte) ([]byte, error) {
	text, quoted, err := p.token()
	if err != nil {
		return nil, err
	}
	if !quoted && strings.EqualFold(text, "NULL") {
		return append(out, "null"...), nil
	}
	if text == "" && !quoted {
		return nil, errArray
	}
	if text == "" && p.column.as != formText {
		return nil, errArray
	}
	v, err := p.column.value(text)
	if err != nil {
		return nil, err
	}
	enc, err := json.Marshal(v)
	return append(out, enc...), err
}

// token takes the text of one element.
func (p *arrayParser) token() (text string, quoted bool, err error) {
	if !p.skip('"') {
		end := strings.IndexFunc(p.rest, func(r rune) bool { return r == rune(p.sep) || r == '}' })
		if end < 0 || strings.ContainsAny(p.rest[:end], `{"\`) {
			return "", false, errArray
		}
		text, p.rest = p.rest[:end], p.rest[end:]
		return text, false, nil
	}
	var b strings.Builder
	for i := 0; i < len(p.rest); i++ {
		switch c := p.rest[i]; c {
		case '"':
			p.rest = p.rest[i+1:]
			return b.String(), true, nil
		case '\\':
			if i++; i == len(p.rest) {
				return "", true, errArray
			}
			b.WriteByte(p.rest[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", true, errArray
}
