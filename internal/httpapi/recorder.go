package httpapi

import (
	"net/http"
	"time"
)

// recorder remembers the status of an answer and bounds how long the client may take to receive it.
type recorder struct {
	http.ResponseWriter
	timeout time.Duration
	status  int
	aborted bool // the answer broke off after its head was sent
}

func newRecorder(w http.ResponseWriter, timeout time.Duration) *recorder {
	return &recorder{ResponseWriter: w, timeout: timeout}
}

// WriteHeader implements [http.ResponseWriter].
func (rec *recorder) WriteHeader(code int) {
	if rec.status == 0 && code >= http.StatusOK {
		rec.status = code
		// net/http lifts the deadline before the connection is used again.
		_ = http.NewResponseController(rec.ResponseWriter).SetWriteDeadline(time.Now().Add(rec.timeout))
	}
	rec.ResponseWriter.WriteHeader(code)
}

// Write implements [http.ResponseWriter].
func (rec *recorder) Write(p []byte) (int, error) {
	if rec.status == 0 {
		rec.WriteHeader(http.StatusOK)
	}
	return rec.ResponseWriter.Write(p)
}

// Unwrap lets [http.ResponseController] reach the connection.
func (rec *recorder) Unwrap() http.ResponseWriter { return rec.ResponseWriter }

// code returns the status that was answered; a handler that writes nothing answers 200.
func (rec *recorder) code() int {
	if rec.status == 0 {
		return http.StatusOK
	}
	return rec.status
}
