package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/unified-connector/ucf/connectors"
)

// SQLSTATE codes that this package tells apart (PostgreSQL documentation, appendix A).
const (
	stateReadOnly         = "25006"
	stateInvalidAuth      = "28000"
	stateInvalidPassword  = "28P01"
	stateNoDatabase       = "3D000"
	stateSerialization    = "40001"
	stateDeadlock         = "40P01"
	stateNoPrivilege      = "42501"
	stateNoColumn         = "42703"
	stateOtherColumns     = "42P10"
	stateNoOperator       = "42883"
	stateNoTable          = "42P01"
	stateNoSchema         = "3F000"
	stateTooManyConns     = "53300"
	stateLockNotAvailable = "55P03"
	stateCanceled         = "57014"
	stateAdminShutdown    = "57P01"
	stateCrashShutdown    = "57P02"
	stateCannotConnectNow = "57P03"
	stateIdleInTx         = "25P03"
	stateProtocol         = "08P01"
	stateSyntax           = "42601"
)

func sqlState(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// mendable reports whether another try may succeed.
func mendable(err error) bool {
	var ours *connectors.Error
	var cert *tls.CertificateVerificationError
	var tooLong *pgproto3.ExceededMaxBodyLenErr
	switch {
	case errors.As(err, &ours), errors.As(err, &cert), errors.As(err, &tooLong), errors.Is(err, errNoTLS):
		return false
	case errors.Is(err, context.Canceled), pgconn.Timeout(err), errors.Is(err, context.DeadlineExceeded):
		return false
	}
	switch state := sqlState(err); state {
	case "":
		return true
	case stateSerialization, stateDeadlock, stateTooManyConns, stateAdminShutdown, stateCrashShutdown,
		stateCannotConnectNow, stateIdleInTx:
		return true
	case stateProtocol:
		return false
	default:
		return strings.HasPrefix(state, "08")
	}
}

// cause is what may be logged of a failure: no configuration, and of the server's answer no row values.
func cause(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return &serverError{pg.Severity, pg.Code, pg.Routine}
	}
	return errors.New(err.Error())
}

// serverError is the server's answer without the texts that may hold row values.
type serverError struct{ severity, state, routine string }

func (e *serverError) Error() string {
	return fmt.Sprintf("%s: SQLSTATE %s in %s", e.severity, e.state, e.routine)
}

// stateOf returns the SQLSTATE of a coded error's cause, if it has one.
func stateOf(err error) string {
	var e *serverError
	if errors.As(err, &e) {
		return e.state
	}
	return ""
}

// coded turns a failure into an error with a code. An *connectors.Error, as the dial guard returns, passes as it is.
func (d *Driver) coded(ctx context.Context, err error) error {
	var ours *connectors.Error
	if errors.As(err, &ours) {
		return ours
	}
	if d.pool.ctx.Err() != nil {
		return errClosed
	}
	if err := ctx.Err(); err != nil {
		return connectors.AsError(err)
	}
	if state := sqlState(err); state != "" {
		return d.ofState(state, err)
	}
	return d.ofConnection(err)
}

// ofConnection codes what went wrong before or beside the server's own answers.
func (d *Driver) ofConnection(err error) error {
	var cert *tls.CertificateVerificationError
	var tooLong *pgproto3.ExceededMaxBodyLenErr
	var opErr *net.OpError
	wrap := func(code connectors.Code, format string, args ...any) error {
		return connectors.Wrap(code, cause(err), format, args...)
	}
	switch {
	case pgconn.Timeout(err), errors.Is(err, context.DeadlineExceeded):
		return wrap(connectors.Timeout, "PostgreSQL at %s did not answer in time; check host, port and firewall, or try again", d.address())
	case errors.Is(err, errNoTLS):
		return wrap(connectors.ProviderError, "PostgreSQL at %s offers no TLS, which sslmode %s demands; turn TLS on in the server, or set sslmode to disable if the network is trusted", d.address(), d.sslmode)
	case errors.As(err, &cert):
		return wrap(connectors.ProviderError, "the certificate of PostgreSQL at %s was refused (%s); give its authority as ssl_root_cert, use the host name that the certificate names, or see sslmode", d.address(), certProblem(cert))
	case errors.As(err, &tooLong):
		return wrap(connectors.ProviderError, "PostgreSQL sent a row of more than %d MB, which ucf does not read; leave the large column out with a view", maxMessageLen>>20)
	case errors.As(err, &opErr) && opErr.Op == "dial":
		return wrap(connectors.ProviderError, "could not connect to PostgreSQL at %s; check host and port, and that the server runs and listens there", d.address())
	}
	return wrap(connectors.ProviderError, "the connection to PostgreSQL at %s failed; check host, port and sslmode, or try again", d.address())
}

// ofState codes an answer of the server.
func (d *Driver) ofState(state string, err error) error {
	wrap := func(code connectors.Code, format string, args ...any) error {
		return connectors.Wrap(code, cause(err), format, args...)
	}
	switch state {
	case stateInvalidPassword:
		return wrap(connectors.Reauthorize, "PostgreSQL refused the password of user %s; connect again with the right one", d.user)
	case stateInvalidAuth:
		return wrap(connectors.Reauthorize, "PostgreSQL refused the login of user %s to database %s with sslmode %s; check the user, and that pg_hba.conf lets it in from here", d.user, d.database, d.sslmode)
	case stateNoPrivilege:
		return connectors.Denied(cause(err), "the role %s lacks a privilege that the statement needs; GRANT it, or connect with another role", d.user)
	case stateNoDatabase:
		return wrap(connectors.NotFound, "PostgreSQL at %s has no database %s", d.address(), d.database)
	case stateNoTable, stateNoColumn, stateNoSchema:
		return wrap(connectors.NotFound, "a table or column that was asked for does not exist any more; list the tables again")
	case stateCanceled:
		return wrap(connectors.Timeout, "PostgreSQL ended the statement, which took longer than statement_timeout (%s) allows; add an index, or raise it", d.statementTimeout)
	case stateLockNotAvailable:
		return wrap(connectors.Timeout, "another session holds a lock on the table for longer than %s; try again", d.lockTimeout)
	case stateReadOnly:
		return wrap(connectors.Unsupported, "the view calls something that writes, and ucf only reads")
	case stateTooManyConns:
		return wrap(connectors.ProviderError, "PostgreSQL at %s has no connection left for user %s; try again later, or use its pooler", d.address(), d.user)
	case stateAdminShutdown, stateCrashShutdown, stateCannotConnectNow:
		return wrap(connectors.ProviderError, "PostgreSQL at %s is starting or shutting down; try again", d.address())
	}
	return wrap(connectors.ProviderError, "PostgreSQL failed with SQLSTATE %s; the log has more", state)
}

func certProblem(err *tls.CertificateVerificationError) string {
	return strings.TrimPrefix(err.Unwrap().Error(), "x509: ")
}
