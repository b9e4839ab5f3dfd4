package connectors

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxValueLen bounds one value of a configuration, in bytes.
const maxValueLen = 16 << 10

// parse returns the value in the type of the field, or what is wrong with it.
func (f Field) parse(v any) (any, string) {
	switch f.Kind {
	case KindInt:
		return f.parseInt(v)
	case KindBool:
		b, err := strconv.ParseBool(fmt.Sprint(v))
		if err != nil {
			return nil, "must be true or false"
		}
		return b, ""
	case KindList:
		return parseList(v)
	}
	return f.parseText(v)
}

func (f Field) parseText(v any) (any, string) {
	s, ok := v.(string)
	if !ok {
		return nil, "must be a text"
	}
	if fault := badText(s, f.Kind == KindSecret); fault != "" {
		return nil, fault
	}
	if len(f.Enum) > 0 && !slices.Contains(f.Enum, s) {
		return nil, "must be one of " + strings.Join(f.Enum, ", ")
	}
	if f.Pattern != "" && !regexp.MustCompile("^(?:"+f.Pattern+")$").MatchString(s) {
		return nil, "is not of the form " + f.Pattern
	}
	switch f.Kind {
	case KindSecret:
		return NewSecret(s), ""
	case KindURL:
		return parseURL(s)
	case KindHost:
		return parseHost(s)
	}
	return s, ""
}

func (f Field) parseInt(v any) (any, string) {
	var n int
	var err error
	switch v := v.(type) {
	case int:
		n = v
	case float64:
		n, err = strconv.Atoi(strconv.FormatFloat(v, 'f', -1, 64))
	case string, json.Number:
		n, err = strconv.Atoi(fmt.Sprint(v))
	default:
		return nil, "must be a whole number"
	}
	if err != nil {
		return nil, "must be a whole number"
	}
	if (f.Min != 0 || f.Max != 0) && (n < f.Min || n > f.Max) {
		return nil, fmt.Sprintf("must be between %d and %d", f.Min, f.Max)
	}
	return n, ""
}

func parseList(v any) (any, string) {
	list, ok := textList(v)
	if !ok {
		return nil, "must be a list of texts"
	}
	for _, s := range list {
		if fault := badText(s, false); fault != "" {
			return nil, "an entry " + fault
		}
	}
	return list, ""
}

func textList(v any) (list []string, ok bool) {
	switch v := v.(type) {
	case string:
		for s := range strings.SplitSeq(v, ",") {
			list = append(list, strings.TrimSpace(s))
		}
		return list, true
	case []string:
		return slices.Clone(v), true
	case []any:
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return nil, false
			}
			list = append(list, s)
		}
		return list, true
	}
	return nil, false
}

// badText says what makes s unfit for a configuration value: a value that ends in a header, a URL or a query must
// not carry control characters. A secret is taken as it is but for NUL and line ends.
func badText(s string, secret bool) string {
	switch {
	case len(s) > maxValueLen:
		return fmt.Sprintf("is longer than %d bytes", maxValueLen)
	case !utf8.ValidString(s):
		return "is not valid UTF-8"
	case secret && strings.ContainsAny(s, "\x00\r\n"):
		return "holds a line end or NUL; was a newline pasted with it?"
	case !secret && strings.ContainsFunc(s, unicode.IsControl):
		return "holds a control character"
	case strings.TrimSpace(s) == "":
		return "is blank"
	}
	return ""
}

func parseURL(s string) (any, string) {
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil {
		return nil, "is not a URL"
	}
	if fault := badURL(u, s); fault != "" {
		return nil, fault
	}
	if _, fault := parseHost(u.Hostname()); fault != "" {
		return nil, fault
	}
	if fault := badPort(u); fault != "" {
		return nil, fault
	}
	u.Host = strings.ToLower(u.Host)
	u.Path = strings.TrimRight(u.Path, "/")
	u.RawPath = strings.TrimRight(u.RawPath, "/")
	return u.String(), ""
}

func badURL(u *url.URL, s string) string {
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return "must begin with https://"
	case u.User != nil:
		return "must not hold a user name or password; they have fields of their own"
	case u.RawQuery != "" || u.ForceQuery:
		return "must not hold a query (the part after ?)"
	case strings.Contains(s, "#"):
		return "must not hold a fragment (the part after #)"
	case u.Hostname() == "" || u.Opaque != "":
		return "names no host"
	}
	return ""
}

func badPort(u *url.URL) string {
	p := u.Port()
	if p == "" && !strings.HasSuffix(u.Host, ":") {
		return ""
	}
	if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
		return "names an impossible port"
	}
	return ""
}

func parseHost(s string) (any, string) {
	if net.ParseIP(s) != nil {
		return s, ""
	}
	s = strings.ToLower(strings.TrimSuffix(s, "."))
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789-._"
	foreign := strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune(letters, r) })
	if len(s) > 253 || foreign {
		return nil, "is not a host name"
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 {
			return nil, "is not a host name"
		}
	}
	return s, ""
}
