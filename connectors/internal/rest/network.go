package rest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"syscall"

	"github.com/unified-connector/ucf/connectors"
)

// networkError codes what kept an answer from coming. An error that the client below has coded is passed on, and so
// is the end of the caller's context. The address, which may hold a query, is dropped.
func (c *Client) networkError(err error) error {
	var coded *connectors.Error
	if errors.As(err, &coded) {
		return coded
	}
	var at *url.Error
	for errors.As(err, &at) {
		err = at.Err
	}
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return connectors.Wrap(connectors.Timeout, err, "%s did not answer in time: try again, or allow more time", c.System)
	}
	return connectors.Wrap(connectors.ProviderError, err, "%s could not be asked: %s", c.System, c.reason(err))
}

func (c *Client) reason(err error) string {
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var authority x509.UnknownAuthorityError
	switch {
	case errors.As(err, &dns):
		return "its host name is not known: check " + c.AddressField
	case errors.As(err, &cert), errors.As(err, &authority):
		return "its certificate is not trusted: check " + c.AddressField
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return "it does not speak TLS there: check " + c.AddressField
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens at its address: check " + c.AddressField
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "the answer was cut off: try again"
	}
	return "the connection broke: try again"
}
