package app_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/sandbox"
	"github.com/unified-connector/ucf/internal/service"
	"github.com/unified-connector/ucf/internal/store"
)

// The chaos: replicas on one store sync a site while people work in it; every now and then one of the replicas is killed and
// started again. UCF_CHAOS_ROUNDS and UCF_CHAOS_ITEMS set how often and how much.
const chaosReplicas = 2

func chaosNumber(name string, dflt int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return dflt
}

func TestChaos(t *testing.T) {
	rounds, items := chaosNumber("UCF_CHAOS_ROUNDS", 1), chaosNumber("UCF_CHAOS_ITEMS", 3000)
	t.Run("sqlite", func(t *testing.T) {
		for n := range rounds {
			chaos(t, n, items, nil)
		}
	})
	t.Run("mongodb", func(t *testing.T) {
		url := os.Getenv("UCF_TEST_MONGODB_URL")
		if url == "" {
			t.Skip("UCF_TEST_MONGODB_URL names no server")
		}
		for n := range chaosNumber("UCF_CHAOS_MONGO_ROUNDS", rounds) {
			chaos(t, n, items, []string{
				"MONGODB_URL=" + url, fmt.Sprintf("MONGODB_DB=ucf_chaos_%d_%d", os.Getpid(), n), "ENCRYPTION_KEY=" + chaosKey,
			})
		}
	})
}

// dropDatabase removes the database of an environment, if it names one.
func dropDatabase(t *testing.T, environ []string) {
	if len(environ) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	client, err := mongo.Connect(options.Client().ApplyURI(strings.TrimPrefix(environ[0], "MONGODB_URL=")))
	if err == nil {
		err = cmp.Or(client.Database(strings.TrimPrefix(environ[1], "MONGODB_DB=")).Drop(ctx), client.Disconnect(ctx))
	}
	if err != nil {
		t.Error(err)
	}
}

const chaosKey = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="

// chaos is one round: an import and a sync, each under edits and a kill, then the comparison with the site.
func chaos(t *testing.T, round, items int, environ []string) {
	s := newBox(t, sandbox.Options{Issues: items, Comments: sandbox.None, Now: time.Now, Seed: uint64(round + 1)})
	home := t.TempDir()
	t.Cleanup(func() { dropDatabase(t, environ) })
	s.app = build(t, home, true, environ...)
	c := &chaosRound{synced: s.connected(t, "jira", "jira"), home: home, environ: environ, edited: rand.New(rand.NewPCG(uint64(round), 7))}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var wg sync.WaitGroup
	running := make([]atomic.Pointer[os.Process], chaosReplicas)
	defer wg.Wait()
	defer func() {
		stop()
		for i := range running {
			if p := running[i].Load(); p != nil {
				_ = p.Kill()
			}
		}
	}()
	for i := range running {
		wg.Go(func() { c.replica(ctx, t, &running[i]) })
	}
	seen := map[string]string{}
	reading, stopReading := context.WithCancel(ctx)
	var reader sync.WaitGroup
	reader.Go(func() { c.follow(reading, t, seen) })

	begin := time.Now()
	kills := c.under(ctx, t, running, domain.ImportJob)
	kills += c.under(ctx, t, running, domain.SyncJob)
	took := time.Since(begin)
	last := c.start(t, domain.SyncJob, domain.JobParams{Census: "always"})
	if j := c.await(t, last); j.Status != domain.JobSucceeded {
		t.Fatalf("the last sync is %s: %+v %+v", j.Status, j.Error, j.Incomplete)
	}
	stopReading()
	reader.Wait()
	c.followOnce(t.Context(), t, seen)
	t.Logf("%d kills, %d edits", kills, c.edits.Load())
	n := c.settle(t, seen)
	t.Logf("round %d: %d records right, %d kills, %d edits, import and sync took %s", round, n, kills, c.edits.Load(), took.Round(time.Millisecond))
}

// chaosRound is what a round works with.
type chaosRound struct {
	*synced
	home    string
	environ []string
	edited  *rand.Rand
	edits   atomic.Int64
	at      int64 // of the reader
}

// replica runs one process until ctx ends, again after each death.
func (c *chaosRound) replica(ctx context.Context, t *testing.T, running *atomic.Pointer[os.Process]) {
	for ctx.Err() == nil {
		cmd := exec.Command(os.Args[0], "-test.run=^TestChaosReplica$", "-test.v")
		cmd.Env = append(os.Environ(), "UCF_CHAOS_HOME="+c.home, "UCF_CHAOS_ENV="+strings.Join(c.environ, "\n"))
		if os.Getenv("UCF_CHAOS_LOG") != "" {
			cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		}
		if err := cmd.Start(); err != nil {
			t.Error(err)
			return
		}
		running.Store(cmd.Process)
		_ = cmd.Wait() // a process that was killed ends with an error
		running.Store(nil)
	}
}

// TestChaosReplica is one replica.
func TestChaosReplica(t *testing.T) {
	home := os.Getenv("UCF_CHAOS_HOME")
	if home == "" {
		return // it is started by TestChaos alone
	}
	a := build(t, home, true, strings.Split(os.Getenv("UCF_CHAOS_ENV"), "\n")...)
	if os.Getenv("UCF_CHAOS_LOG") != "" {
		a.Jobs.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	a.Run(t.Context())
}

func (c *chaosRound) start(t *testing.T, kind domain.JobType, p domain.JobParams) string {
	t.Helper()
	now := time.Now().UTC()
	j := domain.Job{
		Meta: domain.Meta{Tenant: "acme", CreatedAt: now, UpdatedAt: now}, ID: domain.NewID(domain.JobPrefix, now), ConnectorID: "jira",
		ConnectionID: c.connection, Type: kind, Params: p,
	}
	if err := c.store(t).CreateJob(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	return j.ID
}

func (c *chaosRound) job(t *testing.T, id string) domain.Job {
	t.Helper()
	j, err := c.store(t).Job(t.Context(), "acme", id)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func (c *chaosRound) await(t *testing.T, id string) domain.Job {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if j := c.job(t, id); j.Status.Final() {
			return j
		}
	}
	j := c.job(t, id)
	t.Fatalf("the job is still %s: %+v", j.Status, j)
	return j
}

// under runs a job while people work and kills the replica that holds it, or another one, at a random moment.
func (c *chaosRound) under(ctx context.Context, t *testing.T, running []atomic.Pointer[os.Process], kind domain.JobType) (kills int) {
	t.Helper()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var people sync.WaitGroup
	people.Go(func() { c.people(ctx) })
	id := c.start(t, kind, domain.JobParams{})
	for c.job(t, id).Status == domain.JobQueued {
		time.Sleep(5 * time.Millisecond)
	}
	for wait := time.Duration(100+c.edited.IntN(1500)) * time.Millisecond; ; wait = time.Duration(1000+c.edited.IntN(2000)) * time.Millisecond {
		time.Sleep(wait)
		if c.job(t, id).Status.Final() || kills == 3 {
			break
		}
		if p := running[c.edited.IntN(len(running))].Load(); p != nil && p.Kill() == nil {
			kills++
		}
	}
	j := c.await(t, id)
	stop()
	people.Wait()
	if j.Status != domain.JobSucceeded || j.Attempts > 0 {
		t.Fatalf("the %s is %s after %d attempts: %+v %+v", kind, j.Status, j.Attempts, j.Error, j.Incomplete)
	}
	return kills
}

// people edit, comment on, delete and archive issues until ctx ends.
func (c *chaosRound) people(ctx context.Context) {
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	items := chaosNumber("UCF_CHAOS_ITEMS", 3000)
	// However long a round takes, what is deleted stays below the part that an operator is asked about.
	for c.edits.Load() < int64(items/5) && pause(ctx, 5*time.Millisecond) {
		id := strconv.Itoa(10000 + r.IntN(items))
		what := []string{"issue edit", "issue edit", "issue comment", "issue comment", "issue delete", "issue archive", "issue unarchive"}[r.IntN(7)]
		if _, err := c.Change(0, what, id, map[bool]string{true: "said", false: ""}[what == "issue comment"]); err == nil {
			c.edits.Add(1)
		}
	}
}

// follow reads the feed by change, as a consumer does, until ctx ends.
func (c *chaosRound) follow(ctx context.Context, t *testing.T, seen map[string]string) {
	for pause(ctx, 30*time.Millisecond) {
		c.followOnce(ctx, t, seen)
	}
}

// followOnce reads what is new in the feed.
func (c *chaosRound) followOnce(ctx context.Context, t *testing.T, seen map[string]string) {
	st, err := c.app.Service.Store(ctx)
	if err != nil {
		return
	}
	for {
		f, err := st.Feed(ctx, "acme", c.connection)
		if err != nil {
			return
		}
		list, err := st.ListRecords(ctx, "acme", c.connection, store.RecordQuery{After: c.at, UpTo: f.Published, Limit: 500})
		if err != nil || len(list) == 0 {
			return
		}
		for _, r := range list {
			if r.Change <= c.at || r.Change > f.Published {
				t.Errorf("change %d after %d, published %d", r.Change, c.at, f.Published)
			}
			c.at = r.Change
			key := string(r.Kind) + " " + r.ID
			if delete(seen, key); !r.Deleted {
				seen[key] = string(r.Value)
			}
		}
	}
}

// settle holds the records and what the reader has against the site, and returns how many there are.
func (c *chaosRound) settle(t *testing.T, seen map[string]string) int {
	t.Helper()
	want := c.site(t)
	all, _ := c.stored(t)
	got := map[string]string{}
	for key, text := range all {
		got[key], _, _ = strings.Cut(text, rawMark)
	}
	for what, got := range map[string]map[string]string{"stored": got, "read": seen} {
		faults := 0
		for _, key := range slices.Sorted(maps.Keys(want)) {
			if got[key] != want[key] {
				if faults++; faults < 4 {
					t.Errorf("%s %s: %.400s\nsite: %.400s", key, what, got[key], want[key])
				}
			}
		}
		for key := range got {
			if _, ok := want[key]; !ok {
				if faults++; faults < 4 {
					t.Errorf("%s is %s and not at the site", key, what)
				}
			}
		}
		if faults > 0 {
			t.Fatalf("%d of %d records as %s are wrong", faults, len(want), what)
		}
	}
	states, err := c.store(t).ListSyncStates(t.Context(), "acme", c.connection)
	if err != nil || len(states) == 0 {
		t.Errorf("%d sync states, %v", len(states), err)
	}
	return len(want)
}

// site returns what the site holds now. Only issues that can have comments are asked for them.
func (c *chaosRound) site(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	keep := func(kind, id string, v any) {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out[kind+" "+id] = string(text)
	}
	in := list("jira", configOf("jira", c.url))
	svc := c.app.Service
	err := svc.EachContainerPage(t.Context(), "acme", service.ContainersIn{ListIn: in}, true, func(p connectors.Page[connectors.Container]) error {
		for _, k := range p.Items {
			keep("container", k.ID, k)
		}
		return nil
	})
	var talked []string
	raw := in
	raw.Raw = true
	err = cmp.Or(err, svc.EachItemPage(t.Context(), "acme", service.ItemsIn{ListIn: raw}, true, func(p connectors.Page[connectors.Item]) error {
		for _, it := range p.Items {
			if !strings.Contains(string(it.Raw), `"comments":[]`) {
				talked = append(talked, it.ID)
			}
			it.Raw = nil
			keep("item", it.ID, it)
		}
		return nil
	}))
	for _, id := range talked {
		err = cmp.Or(err, svc.EachCommentPage(t.Context(), "acme", service.CommentsIn{ListIn: in, ItemID: id}, true, func(p connectors.Page[connectors.Comment]) error {
			for _, m := range p.Items {
				keep("comment", m.ID, m)
			}
			return nil
		}))
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}
