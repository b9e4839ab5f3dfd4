package mongostore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/auth"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/store"
)

// errClosed is the cause of what fails after Close.
var errClosed = errors.New("closed")

// What a server refuses, by its codes: https://www.mongodb.com/docs/manual/reference/error-codes/.
var (
	// onTheWay are those of a server that is going away or is not the primary any more, and of writes that met.
	onTheWay = []int{6, 7, 50, 64, 89, 91, 112, 134, 189, 202, 262, 9001, 10107, 11600, 11602, 13435, 13436}
	// forbidden: Unauthorized, AuthenticationFailed, AtlasError, and a user or password that a proxy refuses.
	forbidden = []int{13, 18, 8000}
	// tooLarge: a document, a command, or what an update would make of a document.
	tooLarge = []int{10334, 17280, 17419, 17420}
)

func hasCode(err error, codes []int) bool {
	var e mongo.ServerError
	return errors.As(err, &e) && slices.ContainsFunc(codes, e.HasErrorCode)
}

// transient reports whether a try failed on the way to the server or back, so that nobody knows what became of it.
func transient(err error) bool {
	var known *connectors.Error
	if err == nil || errors.As(err, &known) || isAuth(err) {
		return false
	}
	var pool driver.RetryablePoolError // it failed for what became of another call
	return isNetwork(err) || mongo.IsTimeout(err) || isAway(err) || errors.As(err, &pool) || hasCode(err, onTheWay)
}

// isAway reports whether no server was found that takes writes.
func isAway(err error) bool {
	var away topology.ServerSelectionError
	return errors.As(err, &away)
}

// isAuth reports whether the server refuses the user.
func isAuth(err error) bool {
	if hasCode(err, forbidden) {
		return true
	}
	var refused *auth.Error
	return errors.As(err, &refused) && !mongo.IsTimeout(err) && !isNetwork(refused.Inner())
}

func isNetwork(err error) bool {
	var n net.Error
	var c topology.ConnectionError
	return errors.As(err, &n) || errors.As(err, &c) || mongo.IsNetworkError(err)
}

// coded returns err as a *connectors.Error that says what is wrong and what to do. What the driver says may hold the
// address of a server, without user and password: it is kept for the log alone.
func (s *Store) coded(caller context.Context, err error) error {
	var known *connectors.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return known
	case s.closed.Load():
		return connectors.Wrap(connectors.Unavailable, errClosed, "the store is closed: ucf is shutting down")
	case caller.Err() != nil:
		return ended(caller, err)
	case isAuth(err):
		return connectors.Wrap(connectors.Unavailable, err,
			"MongoDB refuses the user of MONGODB_URL: check the user, the password and authSource, and that the user may read, write and make indexes in the database %s", s.db.Name())
	case transient(err):
		e := connectors.Wrap(connectors.Unavailable, fmt.Errorf("%w: %w", store.ErrAway, err),
			"MongoDB does not answer: check that it runs, has a primary and a majority, and that MONGODB_URL leads to it; ucf goes on by itself when it is back")
		e.RetryAfter = time.Second
		return e
	case errors.Is(err, driver.ErrDocumentTooLarge) || hasCode(err, tooLarge):
		return large(err)
	}
	return connectors.Wrap(connectors.Internal, err, "MongoDB refused what was asked of it, or holds what makes no sense: the log has its answer")
}

func ended(caller context.Context, err error) error {
	if errors.Is(caller.Err(), context.DeadlineExceeded) {
		return connectors.Wrap(connectors.Timeout, err, "the deadline passed before MongoDB answered")
	}
	return connectors.Wrap(connectors.Unavailable, err, "the call was cancelled before MongoDB answered")
}

func large(err error) error {
	return connectors.Wrap(connectors.PayloadTooLarge, err, "the record is larger than the 16 MB that MongoDB keeps of one: make it smaller")
}

func missing(kind, id string) *connectors.Error {
	return connectors.Errorf(connectors.NotFound, "there is no %s %.100q", kind, id)
}

func stale(kind, id string) *connectors.Error {
	return connectors.Errorf(connectors.Conflict, "the %s %.100q was changed by somebody else meanwhile: read it again and retry", kind, id)
}

// lost is the error of a holder whose claim another has, or who holds none.
func lost(kind, id string) *connectors.Error {
	return connectors.Errorf(connectors.Conflict, "the claim of the %s %.100q is held by somebody else, or by nobody", kind, id)
}

// because returns a copy of e with a cause.
func because(e *connectors.Error, cause error) error {
	with := *e
	with.Err = cause
	return &with
}

// isNone reports whether err says that no document was found.
func isNone(err error) bool { return errors.Is(err, mongo.ErrNoDocuments) }
