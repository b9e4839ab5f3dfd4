package storetest_test

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// onJob returns a fault that changes jobs as they are read.
func onJob(change func(*domain.Job)) func(store.Store) store.Store {
	return breakingWork(func(under store.Store, b *brokenWork) {
		b.job = func(ctx ctxt, t tenant, id string) (domain.Job, error) {
			j, err := under.Job(ctx, t, id)
			change(&j)
			return j, err
		}
	})
}

func onNewJob(change func(*domain.Job)) func(store.Store) store.Store {
	return breakingWork(func(under store.Store, b *brokenWork) {
		b.createJob = func(ctx ctxt, j domain.Job) error {
			change(&j)
			return under.CreateJob(ctx, j)
		}
	})
}

func onClaim(change func(*store.Claim)) func(store.Store) store.Store {
	return breakingWork(func(under store.Store, b *brokenWork) {
		b.claimJob = func(ctx ctxt, c store.Claim) (domain.Job, error) {
			change(&c)
			return under.ClaimJob(ctx, c)
		}
	})
}

func onClaimed(change func(*domain.Job)) func(store.Store) store.Store {
	return breakingWork(func(under store.Store, b *brokenWork) {
		b.claimJob = func(ctx ctxt, c store.Claim) (domain.Job, error) {
			j, err := under.ClaimJob(ctx, c)
			if err == nil {
				change(&j)
			}
			return j, err
		}
	})
}

func onJobFilter(change func(*store.JobFilter, *store.List)) func(store.Store) store.Store {
	return breakingWork(func(under store.Store, b *brokenWork) {
		b.listJobs = func(ctx ctxt, t tenant, f store.JobFilter, l store.List) ([]domain.Job, error) {
			change(&f, &l)
			return under.ListJobs(ctx, t, f, l)
		}
	})
}

// rightfully shows the fence that a job has, whatever the caller has.
func rightfully(ctx ctxt, under store.Store, h store.Hold) store.Hold {
	if j, err := under.Job(ctx, h.Tenant, h.ID); err == nil {
		h.Fence = j.Fence
	}
	return h
}

// beatAnyFence lets whoever beats have the job.
var beatAnyFence = breakingWork(func(under store.Store, b *brokenWork) {
	b.beatJob = func(ctx ctxt, h store.Hold, term time.Duration, st *domain.JobState) (domain.Job, error) {
		return under.BeatJob(ctx, rightfully(ctx, under, h), term, st)
	}
})

var endAnyFence = breakingWork(func(under store.Store, b *brokenWork) {
	b.endJob = func(ctx ctxt, h store.Hold, j domain.Job) error {
		return under.EndJob(ctx, rightfully(ctx, under, h), j)
	}
})

// claimsTwice gives the job that was claimed last to who asks next, once.
func claimsTwice() func(store.Store) store.Store {
	var mu sync.Mutex
	var last domain.Job
	return breakingWork(func(under store.Store, b *brokenWork) {
		b.claimJob = func(ctx ctxt, c store.Claim) (domain.Job, error) {
			mu.Lock()
			defer mu.Unlock()
			if j := last; j.ID != "" {
				last, j.Owner = domain.Job{}, c.Owner
				return j, nil
			}
			j, err := under.ClaimJob(ctx, c)
			last = j
			return j, err
		}
	})
}

func jobBugs() []bug {
	return slices.Concat(jobValueBugs(), claimBugs(), holdBugs(), turnBugs(), cancelBugs(), jobListBugs())
}

func jobValueBugs() []bug {
	const trip, keys = "round trip of jobs", "idempotency keys"
	return []bug{
		{"replaced characters in gaps", trip, onJob(func(j *domain.Job) {
			for i := range j.Incomplete {
				j.Incomplete[i].Reason = strings.ToValidUTF8(strings.ReplaceAll(j.Incomplete[i].Reason, "\u2028", ""), "?")
			}
		})},
		{"forgets why it failed before", trip, onJob(func(j *domain.Job) { j.Error = nil })},
		{"no failure is an empty one", trip, onJob(func(j *domain.Job) {
			if j.Error == nil {
				j.Error = &domain.JobError{}
			}
		})},
		{"due in whole seconds", trip, onJob(func(j *domain.Job) { j.NotBefore = j.NotBefore.Truncate(time.Second) })},
		{"32-bit counts", trip, onJob(func(j *domain.Job) { j.Counts.Items.Seen = int(int32(j.Counts.Items.Seen)) })},
		{"forgets the largest number of deletions", trip, onNewJob(func(j *domain.Job) { j.Params.MaxDeletions = 0 })},
		{"forgets attempts", trip, onNewJob(func(j *domain.Job) { j.Attempts = 0 })},
		{"a job of a key without its params", trip, breakingWork(func(under store.Store, b *brokenWork) {
			b.jobOfKey = func(ctx ctxt, t tenant, key string) (domain.Job, error) {
				j, err := under.JobOfKey(ctx, t, key)
				j.Params = domain.JobParams{}
				return j, err
			}
		})},
		{"accepts a job that ended", trip, onJob(func(j *domain.Job) {
			if j.ID == "job_z" {
				j.Status = domain.JobSucceeded
			}
		})},
		{"forgets keys", keys, onNewJob(func(j *domain.Job) { j.IdempotencyKey = "" })},
		{"keys in small letters", keys, onNewJob(func(j *domain.Job) { j.IdempotencyKey = strings.ToLower(j.IdempotencyKey) })},
		{"trimmed keys", keys, onNewJob(func(j *domain.Job) { j.IdempotencyKey = strings.TrimSpace(j.IdempotencyKey) })},
		{"no key is a key", keys, onNewJob(func(j *domain.Job) {
			if j.IdempotencyKey == "" {
				j.IdempotencyKey = "none"
			}
		})},
		{"another tenant's job of a key", keys, breakingWork(func(under store.Store, b *brokenWork) {
			b.jobOfKey = func(ctx ctxt, _ tenant, key string) (domain.Job, error) { return under.JobOfKey(ctx, "acme", key) }
		})},
		{"a key in use is no conflict", keys, breakingWork(func(under store.Store, b *brokenWork) {
			b.createJob = func(ctx ctxt, j domain.Job) error {
				if err := under.CreateJob(ctx, j); !isCode(err, connectors.Conflict) {
					return err
				}
				return nil
			}
		})},
	}
}

func claimBugs() []bug {
	const claims, dead, one, each = "claims", "claims of the dead", "a job is claimed by one", "each job is claimed by one"
	return []bug{
		{"claims what is not due", claims, onNewJob(func(j *domain.Job) { j.NotBefore = time.Time{} })},
		{"due times are forgotten", "due times", onNewJob(func(j *domain.Job) { j.NotBefore = time.Time{} })},
		{"never due", "due times", onNewJob(func(j *domain.Job) { j.NotBefore = j.NotBefore.AddDate(1, 0, 0) })},
		{"claimed without its state", claims, onClaimed(func(j *domain.Job) { j.JobState = domain.JobState{} })},
		{"claimed with the fence of before", claims, onClaimed(func(j *domain.Job) { j.Fence-- })},
		{"nobody's claim", claims, onClaim(func(c *store.Claim) { c.Owner = "" })},
		{"every claim is a takeover", claims, onClaimed(func(j *domain.Job) { j.Takeovers++ })},
		{"asked for one, gives any", claims, onClaim(func(c *store.Claim) { c.Tenant, c.ID = "", "" })},
		{"asked for another tenant's, gives it", claims, onClaim(func(c *store.Claim) {
			if strings.HasSuffix(c.ID, "4") {
				c.Tenant = "other-tenant"
			}
		})},
		{"no start", claims, onClaimed(func(j *domain.Job) { j.StartedAt = time.Time{} })},
		{"a lease of half its term", dead, onClaim(func(c *store.Claim) { c.Term /= 2 })},
		{"a beat never ends", one, breakingWork(func(under store.Store, b *brokenWork) {
			b.beatJob = func(ctx ctxt, h store.Hold, _ time.Duration, st *domain.JobState) (domain.Job, error) {
				return under.BeatJob(ctx, h, time.Hour, st)
			}
		})},
		{"takeovers are not counted", dead, onClaimed(func(j *domain.Job) { j.Takeovers = 0 })},
		{"a takeover forgets the cancel", dead, onClaimed(func(j *domain.Job) { j.CancelRequested = false })},
		{"a takeover forgets the state", dead, onClaimed(func(j *domain.Job) { j.JobState = domain.JobState{} })},
		{"a takeover begins anew", dead, onClaimed(func(j *domain.Job) { j.StartedAt = time.Now().UTC() })},
		{"the dead beat on", dead, beatAnyFence},
		{"the dead end jobs", dead, endAnyFence},
		{"a late beat is refused", dead, breakingWork(func(under store.Store, b *brokenWork) {
			b.beatJob = func(ctx ctxt, h store.Hold, term time.Duration, st *domain.JobState) (domain.Job, error) {
				if term >= time.Hour {
					h.Fence = -1
				}
				return under.BeatJob(ctx, h, term, st)
			}
		})},
		{"one job, two workers", each, claimsTwice()},
		{"one job is never claimed", each, breakingWork(func(under store.Store, b *brokenWork) {
			b.createJob = func(ctx ctxt, j domain.Job) error {
				if strings.HasSuffix(j.ID, "42") {
					j.NotBefore = time.Now().Add(time.Hour)
				}
				return under.CreateJob(ctx, j)
			}
		})},
		{"one job, two who asked for it", one, claimsTwice()},
		{"looked at, then taken over", one, lookThenClaim()},
	}
}

// lookThenClaim gives a job that is taken over to everybody who saw that it was dead: that is, to a second one.
func lookThenClaim() func(store.Store) store.Store {
	var mu sync.Mutex
	given := 0
	return breakingWork(func(under store.Store, b *brokenWork) {
		b.claimJob = func(ctx ctxt, c store.Claim) (domain.Job, error) {
			j, err := under.ClaimJob(ctx, c)
			mu.Lock()
			defer mu.Unlock()
			if err == nil && j.Takeovers > 0 {
				given = 1
			} else if given == 1 {
				given = 2
				return under.Job(ctx, c.Tenant, c.ID)
			}
			return j, err
		}
	})
}
