package oauth

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/secret"
)

// The life of one grant under random interleavings, faults and crashes of three processes. What must hold is told by
// the provider's own books: which refresh token was spent when, and who was told of it.

// step is one thing that happens.
type step struct {
	Do    string
	Slot  int // which of the processes
	Fault string
	Wait  time.Duration
}

var everyFault = []string{faultLost, faultCut, faultHTML, fault500, faultSlow, faultHung, fault503, fault429, faultNever, faultApp}

// steps draws what happens. Waits are from waits; faults of the provider are those of faults.
func steps(waits []time.Duration, faults []string) *rapid.Generator[[]step] {
	one := rapid.Custom(func(t *rapid.T) step {
		return step{
			Do: rapid.SampledFrom([]string{
				"ask", "ask", "ask", "newer", "refresh", "keepalive", "wait", "wait", "wait", "fault", "fault", "crash", "stop", "stall", "unstall",
				"fail", "heal", "lose write", "pause after write", "consent", "reseal", "down", "up", "delay", "think",
			}).Draw(t, "do"),
			Slot: rapid.IntRange(0, 2).Draw(t, "slot"), Fault: rapid.SampledFrom(faults).Draw(t, "fault"), Wait: rapid.SampledFrom(waits).Draw(t, "wait"),
		}
	})
	return rapid.SliceOfN(one, 1, 40)
}

// lost counts runs that ended on the named way.
var lost atomic.Int32

// play is one run of the steps.
type play struct {
	*world
	slots     [3]*process
	mu        sync.Mutex
	disturbed map[string]bool // processes that did not get all that they were sent, or could not write in time
	ended     map[string]bool // processes that ended, with or without what they were told
	faults    []string
	callers   sync.WaitGroup
	mayLose   bool
}

func (p *play) violated(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, fmt.Sprintf(format, args...))
}

func (p *play) disturb(pr *process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.disturbed[pr.name] = true
}

// step does one thing. Callers run on by themselves.
func (p *play) step(s step) {
	pr := p.slots[s.Slot]
	switch s.Do {
	case "ask":
		for range 3 {
			p.call(pr, func(src *Source) (connectors.Secret, error) { return src.Token(context.Background()) })
		}
	case "newer":
		_, stored, _ := p.stored()
		p.call(pr, func(src *Source) (connectors.Secret, error) {
			got, _, err := src.Newer(context.Background(), connectors.NewSecret(stored), 401)
			return got, err
		})
	case "refresh":
		p.call(pr, func(*Source) (connectors.Secret, error) {
			_, err := pr.Refresh(context.Background(), tenant, tokenID)
			return connectors.Secret{}, err
		})
	case "keepalive":
		p.call(pr, func(*Source) (connectors.Secret, error) {
			tok, _, _ := p.stored()
			return connectors.Secret{}, pr.KeepAlive(context.Background(), tok)
		})
	case "wait":
		time.Sleep(s.Wait)
	case "consent":
		p.consent()
	case "reseal":
		p.change(func(tok *domain.Token) {
			fields, err := secret.OpenFields(p.keeper, string(tenant), tokenID, tok.Sealed)
			if err != nil {
				panic(err)
			}
			tok.Sealed, _ = secret.SealFields(p.keeper, string(tenant), tokenID, fields)
		})
	default:
		p.harm(pr, s)
	}
}

// harm does something bad, or ends it.
func (p *play) harm(pr *process, s step) {
	switch s.Do {
	case "fault":
		p.p.set(func() { p.p.faults = append(p.p.faults, s.Fault) })
	case "down", "up":
		p.p.set(func() { p.p.down = s.Do == "down" })
	case "delay":
		// No answer comes at the very instant when its caller gives up.
		p.p.set(func() { p.p.delay = min(s.Wait, 6*time.Second) + 7*time.Millisecond })
	case "think":
		p.p.set(func() { p.p.think = min(s.Wait, 6*time.Second) })
	case "crash":
		p.end(pr)
		pr.kill()
		p.slots[s.Slot] = p.start()
	case "stop":
		p.stop(pr)
		p.slots[s.Slot] = p.start()
	case "stall":
		p.disturb(pr)
		pr.store.set(func() {
			if pr.store.stalled == nil {
				pr.store.stalled = make(chan struct{})
			}
		})
	case "unstall":
		pr.unstall()
	case "fail", "heal":
		p.disturb(pr)
		pr.store.set(func() {
			if pr.store.fail = nil; s.Do == "fail" {
				pr.store.fail = connectors.Errorf(connectors.Unavailable, "away")
			}
		})
	case "lose write", "pause after write":
		p.disturb(pr)
		pr.store.set(func() {
			pr.store.after = func(domain.Token) error {
				pr.store.set(func() { pr.store.after = nil })
				if s.Do == "lose write" {
					return connectors.Errorf(connectors.Timeout, "no answer from the store")
				}
				time.Sleep(min(s.Wait, 6*time.Second))
				return nil
			}
		})
	}
}

func (pr *process) unstall() {
	pr.store.set(func() {
		if pr.store.stalled != nil {
			close(pr.store.stalled)
			pr.store.stalled = nil
		}
	})
}

func (p *play) end(pr *process) {
	p.disturb(pr)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended[pr.name] = true
}

// stop closes a process in good order. What it could not store counts as lost in a crash.
func (p *play) stop(pr *process) {
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
	defer cancel()
	if pr.Close(ctx) != nil {
		p.end(pr)
	}
	p.disturb(pr)
}

// call lets a caller ask, and judges what he gets.
func (p *play) call(pr *process, f func(*Source) (connectors.Secret, error)) {
	p.callers.Go(func() {
		start := time.Now()
		got, err := f(pr.Source(tenant, tokenID))
		took := time.Since(start)
		if pr.killed {
			return
		}
		// The store of a stalled process may answer as late as it likes where its caller set no limit.
		if limit := 10*time.Second + 10*time.Millisecond; took > limit && !p.isDisturbed(pr.name) {
			p.violated("%s waited %s", pr.name, took)
		}
		switch code := connectors.CodeOf(err); {
		case err == nil && !got.IsZero() && !p.p.alive(got.Reveal()) && !p.lost():
			p.violated("%s got the dead token %s", pr.name, got.Reveal())
		case code == connectors.Reauthorize && !p.lost():
			p.violated("%s was told to connect again: %v", pr.name, err)
		case code == connectors.Internal, code == connectors.Conflict:
			p.violated("%s got %s: %v", pr.name, code, err)
		}
	})
}

func (p *play) isDisturbed(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.disturbed[name]
}

// lost reports whether the provider does not take the stored refresh token any more, where a run may come to that.
func (p *play) lost() bool {
	_, _, refresh := p.stored()
	return p.mayLose && !p.p.renewable(refresh)
}

// check says what must hold at any time.
func (p *play) check() {
	tok, _, refresh := p.stored()
	g := tok.Grant
	if g.Refused != "" && p.p.renewable(refresh) {
		p.violated("a live grant is marked as refused: %s", g.Refused)
	}
	if g.Refused != "" && (!tok.DueAt.IsZero() || g.Claim != nil) {
		p.violated("a refused grant is due %s, claim %v", tok.DueAt, g.Claim)
	}
	if g.Refused == "" && !g.SpentAt.IsZero() && (tok.DueAt.IsZero() || tok.DueAt.After(time.Now())) {
		p.violated("an answer is missing, and nobody is told to look after it: due %s", tok.DueAt)
	}
	p.p.mu.Lock()
	rt := p.p.refresh[refresh]
	spentAt := rt.spentAt
	p.p.mu.Unlock()
	if !spentAt.IsZero() && g.SpentAt.IsZero() && g.Refused == "" && p.p.rotates && !p.p.newest {
		p.violated("the stored refresh token was spent at %s, and the record does not say so", spentAt)
	}
}

// books checks what the provider saw.
func (p *play) books() {
	last := map[string]spending{}
	for _, s := range p.p.seen() {
		// A call that was given up at this very instant is over, whether or not the provider has noticed.
		if o := s.overlap; o != nil && s.at.Sub(o.at) < 5*time.Second && !p.disturbed[o.process] && !p.disturbed[s.process] {
			p.violated("%s and %s spent %s at once, %s apart", o.process, s.process, s.token, s.at.Sub(o.at))
		}
		if o := last[s.token]; o.told && !p.disturbed[o.process] {
			p.violated("%s spent %s again, which %s had been answered for", s.process, s.token, o.process)
		}
		last[s.token] = s
	}
}

// finish heals the world, and lets a new process use the grant.
func (p *play) finish() {
	for _, pr := range p.procs {
		if pr.killed {
			continue
		}
		pr.unstall()
		pr.store.set(func() { pr.store.fail, pr.store.after = nil, nil })
	}
	p.p.set(func() { p.p.faults, p.p.down, p.p.delay, p.p.think = nil, false, 0, 0 })
	p.callers.Wait()
	time.Sleep(20 * time.Second)
	p.check()
	gone := p.lost()
	_, _, before := p.stored()
	tok, err := p.start().Refresh(context.Background(), tenant, tokenID)
	switch {
	case err == nil && !gone:
		if stored, access, refresh := p.stored(); stored.Grant.Generation != tok.Grant.Generation || !p.p.alive(access) || !p.p.renewable(refresh) ||
			stored.Grant.Claim != nil || !stored.DueAt.Equal(DueAt(p.p.def, *stored.Grant)) {
			p.violated("after all, the grant is not sound: due %s, %+v", stored.DueAt, *stored.Grant)
		}
	case !gone:
		p.violated("a live grant is lost: %v", err)
	default:
		lost.Add(1)
		p.named(before, err)
	}
}

// named checks that a grant was lost on the one way that nobody can help: its refresh token was spent, and nobody who
// was told of it inside the window lived to store the answer.
func (p *play) named(refresh string, err error) {
	if connectors.CodeOf(err) != connectors.Reauthorize {
		p.violated("a lost grant must ask for a new consent: %v", err)
	}
	for _, s := range p.p.spends(refresh) {
		if s.told && !p.ended[s.process] {
			p.violated("%s was told in time, and the grant is lost", s.process)
		}
	}
}

// run plays the steps in virtual time and returns what was violated.
func run(t *testing.T, todo []step, mayLose bool, setup func(*provider)) (faults []string) {
	synctest.Test(t, func(t *testing.T) {
		p := &play{world: newWorld(t, setup), disturbed: map[string]bool{}, ended: map[string]bool{}, mayLose: mayLose}
		for i := range p.slots {
			p.slots[i] = p.start()
		}
		for _, s := range todo {
			p.step(s)
			synctest.Wait()
			p.check()
		}
		p.finish()
		p.close()
		p.books()
		if !mayLose && p.p.punished > 0 {
			p.violated("a refresh token was sent outside its window")
		}
		faults = p.faults
	})
	return faults
}

// Inside the window no interleaving loses a grant: neither by siblings of an answer nor where only the newest lives.
func TestStatesInsideTheWindow(t *testing.T) {
	waits := []time.Duration{0, time.Millisecond, 20 * time.Millisecond, 400 * time.Millisecond, 2 * time.Second, 3 * time.Second, 6 * time.Second, 11 * time.Second}
	for _, newest := range []bool{false, true} {
		t.Run(fmt.Sprint("newest only ", newest), func(t *testing.T) {
			faults := everyFault
			if newest { // an answer that is still being made when its question was given up would replace all later ones
				faults = []string{faultLost, faultCut, faultHTML, fault500, fault503, fault429, faultNever, faultApp}
			}
			check(t, func(rt *rapid.T) {
				todo := steps(waits, faults).Draw(rt, "steps")
				ttl := rapid.SampledFrom([]time.Duration{time.Second, 5 * time.Second, time.Hour}).Draw(rt, "ttl")
				broken := run(t, todo, false, func(p *provider) { p.ttl, p.newest = ttl, newest })
				if len(broken) > 0 {
					rt.Fatalf("%s", strings.Join(broken, "\n"))
				}
			})
		})
	}
}

// With all the time in the world a grant is lost on the named way only.
func TestStatesBeyondTheWindow(t *testing.T) {
	waits := []time.Duration{0, 20 * time.Millisecond, 2 * time.Second, 11 * time.Second, 5 * time.Minute, 11 * time.Minute, 2 * time.Hour}
	lost.Store(0)
	check(t, func(rt *rapid.T) {
		todo := steps(waits, everyFault).Draw(rt, "steps")
		if rapid.Bool().Draw(rt, "doomed") { // nobody hears the answer, and nobody asks again for long
			at := rapid.IntRange(0, len(todo)).Draw(rt, "at")
			todo = slices.Insert(todo, at, step{Do: "down"}, step{Do: "refresh"}, step{Do: "wait", Wait: rapid.SampledFrom(waits).Draw(rt, "wait")})
		}
		broken := run(t, todo, true, func(p *provider) { p.ttl = time.Minute })
		if len(broken) > 0 {
			rt.Fatalf("%s", strings.Join(broken, "\n"))
		}
	})
	if lost.Load() == 0 {
		t.Error("no run came to the end that was to be looked at")
	}
}

// check is rapid.Check, with more runs: one takes about a millisecond.
func check(t *testing.T, f func(*rapid.T)) {
	for range 5 {
		rapid.Check(t, f)
	}
}
