package sandbox

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
)

// benchmarkPage measures one page of 100 issues without the network.
func benchmarkPage(b *testing.B, fields string) {
	s, err := New(Options{Issues: 1_000_000})
	if err != nil {
		b.Fatal(err)
	}
	address := "/acme/rest/api/3/search/jql?maxResults=100&fields=" + fields + "&jql=" +
		url.QueryEscape("project = PAY AND updated >= 0 ORDER BY updated ASC, id ASC")
	request := httptest.NewRequest(http.MethodGet, address, http.NoBody)
	request.SetBasicAuth(DefaultEmail, DefaultToken)
	b.ReportAllocs()
	bytes := 0
	for b.Loop() {
		w := &countingWriter{header: http.Header{}}
		s.ServeHTTP(w, request)
		bytes += w.n
	}
	b.ReportMetric(float64(b.N)*100/b.Elapsed().Seconds(), "issues/s")
	b.ReportMetric(float64(bytes)/float64(b.N)/100, "B/issue")
}

type countingWriter struct {
	header http.Header
	n      int
}

func (w *countingWriter) Header() http.Header { return w.header }
func (w *countingWriter) WriteHeader(int)     {}
func (w *countingWriter) Write(p []byte) (int, error) {
	w.n += len(p)
	return len(p), nil
}

func BenchmarkSearchPage(b *testing.B) {
	for _, fields := range []string{"id", "summary,status,issuetype,priority,assignee,reporter,created,updated,project", "*all"} {
		b.Run(fmt.Sprintf("fields=%.10s", fields), func(b *testing.B) { benchmarkPage(b, fields) })
	}
}
