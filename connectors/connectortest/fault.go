package connectortest

import (
	"net/http"
	"strconv"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// kind says who can bring a fault about.
type kind int

const (
	kindAnswer  kind = iota // only the system itself
	kindHang                // a proxy too
	kindReset               // a proxy too
	kindRefused             // the dialer
)

// fault is one way for a system to fail and the code that it amounts to.
type fault struct {
	name     string
	code     connectors.Code
	variants []variant
}

// variant is one way in which a fault shows.
type variant struct {
	name         string
	kind         kind
	needsHealthy bool
	hangs        bool
	answer       func(x exchange)
	// check looks at the error beyond its code and returns what is wrong with it.
	check func(e *connectors.Error) string
}

const (
	jsonType = "application/json"
	htmlType = "text/html; charset=utf-8"
	htmlPage = "<!DOCTYPE html>\n<html><head><title>Log in</title></head><body><form action=\"/login\"></form></body></html>\n"
	refusal  = `{"message":"no","errorMessages":["no"],"errors":{}}`
)

// faults returns every fault that each operation is put to.
func faults() []fault {
	return []fault{
		{"401", connectors.Reauthorize, []variant{
			answered("json", 401, jsonType, refusal), answered("page", 401, htmlType, htmlPage), answered("empty", 401, "", ""),
		}},
		{"403", connectors.Reauthorize, []variant{answered("json", 403, jsonType, refusal)}},
		{"404", connectors.NotFound, []variant{
			answered("json", 404, jsonType, refusal), answered("page", 404, htmlType, htmlPage),
		}},
		{"429", connectors.RateLimited, []variant{limitedSeconds(7), limitedUntil(90 * time.Second)}},
		{"500", connectors.ProviderError, []variant{
			answered("500", 500, jsonType, refusal), answered("500 empty", 500, "", ""), answered("503", 503, htmlType, htmlPage),
		}},
		{"cut_off", connectors.ProviderError, []variant{
			{name: "with its own length", needsHealthy: true, answer: cutOff},
			{name: "in mid-body", needsHealthy: true, answer: brokenOff},
		}},
		{"html_200", connectors.ProviderError, []variant{answered("200", 200, htmlType, htmlPage)}},
		{"html_502", connectors.ProviderError, []variant{answered("502", 502, htmlType, htmlPage)}},
		{"redirect", connectors.ProviderError, []variant{{name: "302", answer: redirect}}},
		{"empty_body", connectors.ProviderError, []variant{
			answered("200", 200, jsonType, ""), answered("204", 204, "", ""), answered("blank", 200, jsonType, " \n"),
		}},
		{"wrong_array", connectors.ProviderError, []variant{answered("[]", 200, jsonType, "[]")}},
		{"wrong_text", connectors.ProviderError, []variant{answered(`"x"`, 200, jsonType, `"x"`)}},
		{"wrong_null", connectors.ProviderError, []variant{answered("null", 200, jsonType, "null")}},
		{"wrong_object", connectors.ProviderError, []variant{
			answered("object", 200, jsonType, `{"unexpected":1}`), answered("{}", 200, jsonType, "{}"),
		}},
		{"endless_body", connectors.ProviderError, []variant{{name: "endless", answer: endless}}},
		{"hang", connectors.Timeout, []variant{
			{name: "before the answer", kind: kindHang, hangs: true, answer: exchange.hang},
			{name: "in mid-body", needsHealthy: true, hangs: true, answer: hangInBody},
		}},
		{"reset", connectors.ProviderError, []variant{{name: "reset", kind: kindReset, answer: exchange.reset}}},
		{"refused", connectors.ProviderError, []variant{{name: "refused", kind: kindRefused}}},
	}
}

func answered(name string, status int, contentType, body string) variant {
	return variant{name: name, answer: func(x exchange) { x.reply(status, contentType, []byte(body)) }}
}

func (x exchange) reply(status int, contentType string, body []byte) {
	if contentType != "" {
		x.w.Header().Set("Content-Type", contentType)
	}
	if status != http.StatusNoContent {
		x.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	x.w.WriteHeader(status)
	_, _ = x.w.Write(body)
}

func limitedSeconds(n int) variant {
	want := time.Duration(n) * time.Second
	return limited("seconds", func() string { return strconv.Itoa(n) }, want, want)
}

// limitedUntil names a date; what is left of it when it is read may be less, and is rounded.
func limitedUntil(d time.Duration) variant {
	date := func() string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
	return limited("date", date, d-15*time.Second, d+time.Second)
}

func limited(name string, header func() string, low, high time.Duration) variant {
	return variant{
		name: name,
		answer: func(x exchange) {
			x.w.Header().Set("Retry-After", header())
			x.reply(http.StatusTooManyRequests, jsonType, []byte(refusal))
		},
		check: func(e *connectors.Error) string {
			if e.RetryAfter < low || e.RetryAfter > high {
				return "RetryAfter is " + e.RetryAfter.String() + ", want what Retry-After says, " + high.String()
			}
			return ""
		},
	}
}

func cutOff(x exchange) {
	x.copyHeader()
	x.reply(x.status, "", x.healthy[:len(x.healthy)/2])
}

func brokenOff(x exchange) {
	x.half()
	panic(http.ErrAbortHandler)
}

func hangInBody(x exchange) {
	x.half()
	x.hang()
}

// half sends the first half of an answer that announces the whole.
func (x exchange) half() {
	x.copyHeader()
	x.w.Header().Set("Content-Length", strconv.Itoa(len(x.healthy)))
	x.w.WriteHeader(x.status)
	_, _ = x.w.Write(x.healthy[:len(x.healthy)/2])
	_ = http.NewResponseController(x.w).Flush()
}

func redirect(x exchange) {
	x.w.Header().Set("Location", "http://elsewhere.invalid/login?next="+x.r.URL.Path)
	x.reply(http.StatusFound, htmlType, []byte(htmlPage))
}

// endlessBytes is where even an endless answer ends, so that a connector that reads it all fails and the test does
// not.
const endlessBytes = 256 << 20

func endless(x exchange) {
	x.w.Header().Set("Content-Type", jsonType)
	chunk := make([]byte, 256<<10)
	for i := range chunk {
		chunk[i] = ' '
	}
	for sent := 0; sent < endlessBytes; sent += len(chunk) {
		if _, err := x.w.Write(chunk); err != nil {
			return
		}
	}
	x.sys.overread.Store(true)
}
