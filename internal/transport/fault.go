package transport

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"syscall"

	"github.com/unified-connector/ucf/connectors"
)

// transient marks the cause of a failure that another try may not meet.
type transient struct{ err error }

func (t *transient) Error() string { return t.err.Error() }
func (t *transient) Unwrap() error { return t.err }

// code gives the failure of one try its code and a message that says what to do; timedOut tells that the try had no
// time left. A context that the caller ended is returned as its own error.
func (x *exchange) code(req *http.Request, timedOut bool, err error) error {
	if ended := req.Context().Err(); ended != nil {
		return connectors.AsError(ended)
	}
	var refused *refusal
	if errors.As(err, &refused) {
		return refused.coded(x.field)
	}
	var coded *connectors.Error
	if errors.As(err, &coded) {
		return coded
	}
	if isProxyFault(err) {
		return connectors.Wrap(connectors.ProviderError, &transient{err},
			"the outbound proxy could not make the connection; check UCF_PROXY_URL")
	}
	return x.codeNetwork(req.URL.Host, timedOut, err)
}

func (x *exchange) codeNetwork(host string, timedOut bool, err error) error {
	if timedOut {
		return connectors.Wrap(connectors.Timeout, &transient{err},
			"%s did not answer within %s; try again, or allow more time", host, x.timeout)
	}
	if text := lastingFault(err); text != "" {
		return connectors.Wrap(connectors.ProviderError, err, "%s %s; check %s", host, text, x.field)
	}
	if isTimeout(err) {
		return connectors.Wrap(connectors.Timeout, &transient{err},
			"%s could not be reached in time; try again, or check %s", host, x.field)
	}
	return connectors.Wrap(connectors.ProviderError, &transient{err}, "%s %s", host, passingFault(err, x.field))
}

// lastingFault says what is wrong where another try would meet the same, and "" elsewhere.
func lastingFault(err error) string {
	var dns *net.DNSError
	var record tls.RecordHeaderError
	var op *net.OpError
	switch {
	case errors.Is(err, errTooLarge):
		return "sent an answer that is too large to be one"
	case errors.Is(err, errBadRedirect):
		return "redirects to an address that cannot be read"
	case errors.As(err, &dns) && dns.IsNotFound:
		return "is not a host that can be found"
	case errors.As(err, &record) && string(record.RecordHeader[:]) == "HTTP/":
		return "speaks plain http where https was asked for"
	case errors.As(err, &record):
		return "does not speak TLS on that port"
	case errors.As(err, &op) && op.Op == "remote error": // a TLS alert, by the operation that crypto/tls names
		return "refused the TLS handshake; TLS 1.2 or newer is required"
	}
	return certificateFault(err)
}

// certificateFault says what is wrong with the server's certificate, and "" where it is not the fault.
func certificateFault(err error) string {
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var unverified *tls.CertificateVerificationError
	switch {
	case errors.As(err, &name):
		return "has a certificate for another host"
	case errors.As(err, &authority):
		return "has a certificate that is not trusted here (is its authority installed on this machine?)"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "has a certificate that has expired or is not valid yet (is the clock of this machine right?)"
	case errors.As(err, &invalid), errors.As(err, &unverified):
		return "has a certificate that is not valid"
	}
	return ""
}

// passingFault says what went wrong where another try may go better.
func passingFault(err error, field string) string {
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused the connection; is it running, and is " + field + " right?"
	case errors.As(err, &dns):
		return "could not be looked up; is the network's name service working?"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "could not be reached; is there a network route to it?"
	}
	return "broke off before its answer was complete; try again later"
}

// isProxyFault reports whether the way to the proxy failed, by the operation that net/http names.
func isProxyFault(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && (op.Op == "proxyconnect" || op.Op == "socks connect")
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}
