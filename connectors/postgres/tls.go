package postgres

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net"
	"strings"

	"github.com/unified-connector/ucf/connectors"
)

// tlsFor returns the TLS configuration of an sslmode, nil for disable. As in libpq, require verifies the certificate
// chain when root certificates are given.
func tlsFor(mode, host, rootCerts string) (*tls.Config, error) {
	if mode == "disable" {
		return nil, nil
	}
	c := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if rootCerts != "" {
		pool, err := parseRootCerts(rootCerts)
		if err != nil {
			return nil, connectors.InvalidFields(connectors.Fault{Field: "ssl_root_cert", Message: err.Error()})
		}
		c.RootCAs = pool
	}
	switch {
	case mode == "verify-full":
	case mode == "verify-ca" || rootCerts != "":
		// The chain is verified below, without the host name.
		c.InsecureSkipVerify = true
		c.VerifyConnection = func(state tls.ConnectionState) error { return verifyChain(state, c.RootCAs) }
	default:
		c.InsecureSkipVerify = true
	}
	return c, nil
}

func verifyChain(state tls.ConnectionState, roots *x509.CertPool) error {
	certs := state.PeerCertificates
	if len(certs) == 0 {
		return errors.New("the server sent no certificate")
	}
	options := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
	for _, cert := range certs[1:] {
		options.Intermediates.AddCert(cert)
	}
	if _, err := certs[0].Verify(options); err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: certs, Err: err}
	}
	return nil
}

const (
	pemBegin = "-----BEGIN CERTIFICATE-----"
	pemEnd   = "-----END CERTIFICATE-----"
)

var errRootCert = errors.New("is not the PEM text of certificates (-----BEGIN CERTIFICATE----- …); a file name is not taken")

// oneLine makes PEM text fit a configuration value, which holds no line ends.
func oneLine(s string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(strings.ReplaceAll(s, `\r`, " "), `\n`, " ")), " ")
}

// parseRootCerts reads PEM text whose line ends may have become blanks. Private keys and other blocks are refused.
func parseRootCerts(s string) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	rest := oneLine(s)
	if rest == "" {
		return nil, errRootCert
	}
	for rest != "" {
		body, ok := strings.CutPrefix(rest, pemBegin)
		if !ok {
			return nil, errRootCert
		}
		if body, rest, ok = strings.Cut(body, pemEnd); !ok {
			return nil, errRootCert
		}
		der, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(body, " ", ""))
		if err != nil {
			return nil, errRootCert
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, errRootCert
		}
		pool.AddCert(cert)
		rest = strings.TrimLeft(rest, " ")
	}
	return pool, nil
}

// errNoTLS says that the server answered the request for TLS with no.
var errNoTLS = errors.New("the server refused TLS")

// tlsGate turns the server's refusal of TLS, the one byte N, into errNoTLS.
type tlsGate struct {
	net.Conn
	passed bool
}

func (g *tlsGate) Read(b []byte) (int, error) {
	n, err := g.Conn.Read(b)
	if !g.passed && n > 0 {
		g.passed = true
		if b[0] != 'S' {
			return 0, errNoTLS
		}
	}
	return n, err
}
