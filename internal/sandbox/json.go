package sandbox

import (
	"strconv"
	"sync"
)

// buffers holds the bodies under construction; a page is some hundred kilobytes.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 64<<10); return &b }}

// maxPooled keeps one odd huge body from staying in memory for good.
const maxPooled = 4 << 20

func withBuffer(fill func([]byte) []byte, use func([]byte)) {
	p := buffers.Get().(*[]byte)
	b := fill((*p)[:0])
	use(b)
	if cap(b) <= maxPooled {
		*p = b
		buffers.Put(p)
	}
}

const hexDigits = "0123456789abcdef"

// appendString writes s as a JSON string.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	b = appendEscaped(b, s)
	return append(b, '"')
}

// appendEscaped writes the inside of a JSON string. s must be UTF-8.
func appendEscaped(b []byte, s string) []byte {
	clean := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[clean:i]...)
		clean = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(b, s[clean:]...)
}

// appendID writes a number as the JSON string that Jira uses for ids.
func appendID(b []byte, id int64) []byte {
	b = append(b, '"')
	b = strconv.AppendInt(b, id, 10)
	return append(b, '"')
}

func appendInt(b []byte, name string, n int64) []byte {
	b = append(b, name...)
	return strconv.AppendInt(b, n, 10)
}

func appendBool(b []byte, name string, v bool) []byte {
	b = append(b, name...)
	return strconv.AppendBool(b, v)
}
