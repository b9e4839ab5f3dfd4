package httpapi_test

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/unified-connector/ucf/internal/httpapi"
)

// A handler that panics in the middle of its answer must not look as if it had completed it.
func TestPanicInTheMiddle(t *testing.T) {
	l := newLab(t, func(o *httpapi.Options) http.Handler {
		return httpapi.NewWithRoute(*o, "GET /half", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "half of ")
			_ = http.NewResponseController(w).Flush()
			panic("in the middle")
		}, time.Minute)
	})
	res, err := l.client.Do(l.request(call{method: "GET", path: "/half"}))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil || string(text) != "half of " {
		t.Errorf("the answer is %q, %v: want half of one and an error", text, err)
	}
	if line := l.linesAfter(0)[0]; line["path"] != "/half" {
		t.Errorf("the line is %v", line)
	}
	if !strings.Contains(l.log.String(), `"panic":"in the middle"`) {
		t.Error("the panic is not in the log")
	}
}

// A client that does not take its answer must not hold a handler for ever.
func TestSlowReader(t *testing.T) {
	ended := make(chan error, 1)
	l := newLab(t, func(o *httpapi.Options) http.Handler {
		return httpapi.NewWithRoute(*o, "GET /endless", func(w http.ResponseWriter, _ *http.Request) {
			_, err := io.Copy(w, &endless{})
			ended <- err
		}, 50*time.Millisecond)
	})
	l.dial("GET /endless HTTP/1.1\r\nHost: " + l.addr + "\r\n\r\n")
	select {
	case err := <-ended:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the handler ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the handler is still held")
	}
}

// The deadline of one answer must not strike the next one on the same connection.
func TestDeadlineIsLifted(t *testing.T) {
	l := newLab(t, func(o *httpapi.Options) http.Handler {
		return httpapi.NewWithRoute(*o, "GET /short", func(http.ResponseWriter, *http.Request) {}, 20*time.Millisecond)
	})
	conn := l.dial("GET /healthz HTTP/1.1\r\nHost: " + l.addr + "\r\n\r\n")
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	read(t, res)
	<-time.After(50 * time.Millisecond) // until the deadline of the first answer has passed
	const body = `{"method":"api_key"}`
	_, _ = io.WriteString(conn, "POST /api/connectors/toy/connect HTTP/1.1\r\nHost: "+l.addr+"\r\nX-Tenant-Id: acme\r\n"+
		"Content-Type: application/json\r\nContent-Length: 20\r\nExpect: 100-continue\r\n\r\n")
	for _, want := range []int{http.StatusContinue, http.StatusOK} {
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != want {
			t.Errorf("%d, want %d", res.StatusCode, want)
		}
		if want == http.StatusContinue {
			_, _ = io.WriteString(conn, body)
			continue
		}
		read(t, res)
	}
}
