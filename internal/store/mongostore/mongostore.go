// Package mongostore keeps the state in MongoDB, for any number of processes on any number of machines.
//
// One call writes one document, durable on a majority when it returns; [Store.PutRecords] says in its own words what it
// leaves behind. Every write carries an attempt: one whose answer was lost is repeated, and finds itself. Updates name
// the fields they change, so that versions of ucf run side by side. Leases are by the server's clock.
//
// docs/operations/mongodb.md describes the collections, their indexes and shard keys.
package mongostore

import (
	"context"
	"errors"
	"hash/fnv"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/store"
)

var _ store.Store = (*Store)(nil)

// Store keeps records in a database of MongoDB. It is safe for concurrent use.
type Store struct {
	client *mongo.Client
	db     *mongo.Database
	log    *slog.Logger
	tune   tuning
	gate   gate
	closed atomic.Bool
	copies bool // opened for a copy

	// puts has the writers of one feed take turns: published moves only when every lower write is acknowledged.
	puts [64]struct {
		sync.Mutex
		unsettled map[string][]span // by lease: the numbers of puts that failed, and are not in the feed yet
	}
}

// tuning is what tests change.
type tuning struct {
	selection time.Duration // how long a server that takes writes is looked for
	patience  time.Duration // how long a call may take, with all its tries
	grace     time.Duration // how long a write that was sent is waited for after its caller's end
	recheck   time.Duration // how often a writer looks whether it still may write
	monitor   *event.CommandMonitor
}

func tuned() tuning {
	return tuning{selection: 5 * time.Second, patience: 10 * time.Second, grace: time.Second, recheck: 30 * time.Second}
}

// maxConnections bounds the pool of one process.
const maxConnections = 64

// Open connects to the database db of the MongoDB at the address, which may hold a password, and makes the indexes that
// are missing. Reads are of the primary, and of what a majority has; writes wait for a majority and its journals; whatever
// the address says. A server that cannot be reached, refuses the user, or holds what a newer ucf wrote is unavailable; an
// address or a name that cannot be used is invalid_request. A nil log gets nothing.
func Open(ctx context.Context, address connectors.Secret, db string, log *slog.Logger) (*Store, error) {
	return open(ctx, address, db, log, tuned())
}

func open(ctx context.Context, address connectors.Secret, db string, log *slog.Logger, t tuning) (*Store, error) {
	return openFor(ctx, address, db, log, t, false)
}

func openFor(ctx context.Context, address connectors.Secret, db string, log *slog.Logger, t tuning, copies bool) (*Store, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	o, err := clientOptions(address, db, t)
	if err != nil {
		return nil, err
	}
	client, err := mongo.Connect(o)
	if err != nil {
		return nil, connectors.Errorf(connectors.InvalidRequest, "MONGODB_URL cannot be used: check its options and the files that it names")
	}
	s := &Store{client: client, db: client.Database(db), log: log, tune: t, copies: copies}
	for i := range s.puts {
		s.puts[i].unsettled = map[string][]span{}
	}
	if err := s.prepare(ctx); err != nil {
		s.closed.Store(true)
		_ = client.Disconnect(context.WithoutCancel(ctx))
		return nil, err
	}
	return s, nil
}

// clientOptions returns how the driver connects. No error of it has the driver's as its cause, which may quote the address.
func clientOptions(address connectors.Secret, db string, t tuning) (*options.ClientOptions, error) {
	if db == "" || len(db) > 63 || strings.ContainsAny(db, "/\\. \"$*<>:|?\x00") {
		return nil, connectors.Errorf(connectors.InvalidRequest, "MONGODB_DB is %.70q: it must be a name of 1 to 63 letters, digits, hyphens and underscores", db)
	}
	durable := writeconcern.Majority()
	durable.Journal = new(bool)
	*durable.Journal = true
	// The driver's own retries need sessions and replica sets, and do not outlast a second failure; ours do without.
	o := options.Client().ApplyURI(address.Reveal()).SetAppName("ucf").
		SetReadPreference(readpref.Primary()).SetReadConcern(readconcern.Majority()).SetWriteConcern(durable).
		SetRetryWrites(false).SetRetryReads(false).SetServerSelectionTimeout(t.selection).SetConnectTimeout(t.selection).
		SetMaxPoolSize(maxConnections).SetMinPoolSize(0).SetMonitor(t.monitor)
	o.Timeout = nil // the contexts bound each call
	var dns *net.DNSError
	switch err := o.Validate(); {
	case errors.As(err, &dns):
		return nil, connectors.Errorf(connectors.Unavailable, "the name in MONGODB_URL is not known to the name servers: check it, and the network")
	case err != nil:
		return nil, connectors.Errorf(connectors.InvalidRequest,
			"MONGODB_URL is no address of MongoDB: it must be like mongodb://user:password@host:27017/?authSource=admin, with %%-encoded signs in user and password")
	}
	return o, nil
}

// Name implements [store.Store].
func (s *Store) Name() string { return "mongodb" }

// Ping implements [store.Store].
func (s *Store) Ping(ctx context.Context) error {
	return s.read(ctx, func(ctx context.Context) error { return s.client.Ping(ctx, readpref.Primary()) })
}

// Close implements [store.Store].
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.tune.patience)
	defer cancel()
	if err := s.client.Disconnect(ctx); err != nil {
		return connectors.Wrap(connectors.Unavailable, err, "the connections to MongoDB did not close in time; what was acknowledged is kept")
	}
	return nil
}

func stripe(key string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	return int(h.Sum32() % 64)
}
