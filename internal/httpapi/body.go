package httpapi

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/unified-connector/ucf/connectors"
)

// readBody reads the body of a request whole, within its bounds of size and time, and refuses what is not strict
// JSON.
func (a *api) readBody(ctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(ctx)
	body, err := a.bodyOf(w, r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.Header.Set("Content-Type", jsonType)
	next(ctx)
}

func (a *api) bodyOf(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength != 0 {
		if err := checkType(r.Header); err != nil {
			return nil, err
		}
	}
	body, err := a.take(w, r)
	if err != nil {
		return nil, err
	}
	if len(body) == 0 {
		return nil, connectors.Errorf(connectors.InvalidRequest, "a JSON body is required: send at least {}")
	}
	return body, checkJSON(body)
}

// take reads the body of a request. The deadline that it sets is lifted by huma, before the service works.
func (a *api) take(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	tooLarge := connectors.Errorf(connectors.PayloadTooLarge, "the body is larger than %d bytes", maxBody)
	if r.ContentLength > maxBody {
		return nil, tooLarge
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(a.bodyTimeout))
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, connectors.Errorf(connectors.InvalidRequest, "the body did not arrive within %s", a.bodyTimeout)
	case err != nil:
		return nil, connectors.Wrap(connectors.InvalidRequest, err, "the body broke off")
	case len(body) > maxBody:
		return nil, tooLarge
	}
	return body, nil
}

// checkType refuses bodies that are not said to be plain JSON. The types that a foreign page can send without asking
// are among them.
func checkType(h http.Header) error {
	mediaType, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	charset := params["charset"]
	if err != nil || mediaType != jsonType || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return connectors.Errorf(connectors.InvalidRequest, "the body must be JSON in UTF-8: send it with Content-Type: application/json")
	}
	if h.Get("Content-Encoding") != "" {
		return connectors.Errorf(connectors.InvalidRequest, "an encoded body is not accepted: send it without Content-Encoding")
	}
	return nil
}
