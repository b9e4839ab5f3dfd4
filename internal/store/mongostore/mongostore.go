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
	"hash/fnv"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

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
	times  times
	closed atomic.Bool

	// puts has the writers of one feed take turns: published moves only when every lower write is acknowledged.
	puts [64]struct {
		sync.Mutex
		unsettled map[string][]span // by lease: the numbers of puts that failed, and are not in the feed yet
	}
}

// times are what tests change.
type times struct {
	selection time.Duration // how long a server is looked for
	op        time.Duration // how long one try of a call may take
	patience  time.Duration // until when a call is tried again
}

func defaultTimes() times {
	return times{selection: 3 * time.Second, op: 10 * time.Second, patience: 5 * time.Second}
}

// Open connects to the database db of the MongoDB at the address, which may hold a password, and makes the indexes that
// are missing. Reads are of the primary, and of what a majority has; writes wait for a majority; whatever the address
// says. A server that cannot be reached, refuses the password, or holds what a newer ucf wrote is unavailable. A nil log
// gets nothing.
func Open(ctx context.Context, address connectors.Secret, db string, log *slog.Logger) (*Store, error) {
	return open(ctx, address, db, log, defaultTimes())
}

func open(ctx context.Context, address connectors.Secret, db string, log *slog.Logger, t times) (*Store, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	// The driver's own retries need sessions that not every server has; ours do not.
	o := options.Client().ApplyURI(address.Reveal()).SetAppName("ucf").
		SetReadPreference(readpref.Primary()).SetReadConcern(readconcern.Majority()).SetWriteConcern(writeconcern.Majority()).
		SetRetryWrites(false).SetRetryReads(false).SetServerSelectionTimeout(t.selection).SetConnectTimeout(t.selection).
		SetMaxPoolSize(64).SetTimeout(0)
	if err := o.Validate(); err != nil {
		return nil, connectors.Errorf(connectors.InvalidRequest, "MONGODB_URL is no address of MongoDB: it must be like mongodb://user:password@host:27017/?authSource=admin")
	}
	client, err := mongo.Connect(o)
	if err != nil {
		return nil, connectors.Errorf(connectors.InvalidRequest, "MONGODB_URL cannot be used: check its options")
	}
	s := &Store{client: client, db: client.Database(db), log: log, times: t}
	for i := range s.puts {
		s.puts[i].unsettled = map[string][]span{}
	}
	if err := s.prepare(ctx); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
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
	ctx, cancel := context.WithTimeout(context.Background(), s.times.op)
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
