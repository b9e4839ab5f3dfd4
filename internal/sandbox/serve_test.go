package sandbox

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// serve starts a sandbox on a real socket and returns the site's address.
func serve(t testing.TB, o Options) string {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return server.URL + sitePrefix
}

// get fetches with the site's credentials.
func get(t testing.TB, address string) (*http.Response, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth(DefaultEmail, DefaultToken)
	return do(t, request)
}

func do(t testing.TB, request *http.Request) (*http.Response, []byte) {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, body
}
