package storetest_test

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

func onEnd(change func(*domain.Job)) func(store.Store) store.Store {
	return breakingWork(func(under store.Store, b *brokenWork) {
		b.endJob = func(ctx ctxt, h store.Hold, j domain.Job) error {
			change(&j)
			return under.EndJob(ctx, h, j)
		}
	})
}

func holdBugs() []bug {
	const beats, ends = "beats", "ends of jobs"
	return []bug{
		{"a beat extends nothing", beats, breakingWork(func(under store.Store, b *brokenWork) {
			b.beatJob = func(ctx ctxt, h store.Hold, _ time.Duration, st *domain.JobState) (domain.Job, error) {
				return under.BeatJob(ctx, h, time.Second, st)
			}
		})},
		{"a beat without a state empties it", beats, breakingWork(func(under store.Store, b *brokenWork) {
			b.beatJob = func(ctx ctxt, h store.Hold, term time.Duration, st *domain.JobState) (domain.Job, error) {
				if st == nil {
					st = &domain.JobState{}
				}
				return under.BeatJob(ctx, h, term, st)
			}
		})},
		{"a beat keeps the first gaps", beats, breakingWork(func(under store.Store, b *brokenWork) {
			b.beatJob = func(ctx ctxt, h store.Hold, term time.Duration, st *domain.JobState) (domain.Job, error) {
				if st != nil && len(st.Incomplete) > 100 {
					cut := *st
					cut.Incomplete = st.Incomplete[:100]
					st = &cut
				}
				return under.BeatJob(ctx, h, term, st)
			}
		})},
		{"another tenant beats", beats, breakingWork(func(under store.Store, b *brokenWork) {
			b.beatJob = func(ctx ctxt, h store.Hold, term time.Duration, st *domain.JobState) (domain.Job, error) {
				h.Tenant = "acme"
				return under.BeatJob(ctx, h, term, st)
			}
		})},
		{"a refused beat is not found", beats, breakingWork(func(under store.Store, b *brokenWork) {
			b.beatJob = func(ctx ctxt, h store.Hold, term time.Duration, st *domain.JobState) (domain.Job, error) {
				j, err := under.BeatJob(ctx, h, term, st)
				if isCode(err, connectors.Conflict) {
					err = connectors.Errorf(connectors.NotFound, "no such claim")
				}
				return j, err
			}
		})},
		{"any fence ends", ends, endAnyFence},
		{"an end forgets attempts", ends, onEnd(func(j *domain.Job) { j.Attempts = 0 })},
		{"an end forgets the state", ends, onEnd(func(j *domain.Job) { j.JobState = domain.JobState{} })},
		{"an end forgets the failure", ends, onEnd(func(j *domain.Job) { j.Error = nil })},
		{"an end forgets when to try again", ends, onEnd(func(j *domain.Job) { j.NotBefore = time.Time{} })},
		{"an end forgets its time", ends, onEnd(func(j *domain.Job) { j.FinishedAt = time.Time{} })},
		{"giving back is failing", ends, onEnd(func(j *domain.Job) {
			if j.Status == domain.JobQueued {
				j.Status = domain.JobFailed
			}
		})},
		{"every end can be repeated", ends, breakingWork(func(under store.Store, b *brokenWork) {
			b.endJob = func(ctx ctxt, h store.Hold, j domain.Job) error {
				err := under.EndJob(ctx, h, j)
				if is, gerr := under.Job(ctx, h.Tenant, h.ID); gerr == nil && is.Fence == h.Fence {
					return nil
				}
				return err
			}
		})},
		{"giving back is a death", ends, onClaimed(func(j *domain.Job) { j.Takeovers += int(j.Fence) - 1 })},
	}
}

func turnBugs() []bug {
	const fair, jump, per = "turns are fair", "none comes before who waits", "jobs of one tenant"
	return []bug{
		{"first come, first served", fair, claimsInOrder(func(a, b domain.Job) int {
			return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(b.ID, a.ID)) // as they came
		})},
		{"by id", fair, claimsInOrder(func(a, b domain.Job) int { return cmp.Compare(a.ID, b.ID) })},
		{"the last one first", jump, claimsInOrder(func(a, b domain.Job) int { return cmp.Compare(b.ID, a.ID) })},
		{"one for each tenant", per, onClaim(func(c *store.Claim) { c.PerTenant = 1 })},
		{"counts another tenant's jobs", per, breakingWork(func(under store.Store, b *brokenWork) {
			b.countJobs = func(ctx ctxt, _ tenant) (int, int, error) { return under.CountJobs(ctx, "acme") }
		})},
		{"counts running jobs as queued", per, breakingWork(func(under store.Store, b *brokenWork) {
			b.countJobs = func(ctx ctxt, t tenant) (int, int, error) {
				queued, running, err := under.CountJobs(ctx, t)
				return queued + running, running, err
			}
		})},
		{"the limit keeps from taking over", per, breakingWork(func(under store.Store, b *brokenWork) {
			b.claimJob = func(ctx ctxt, c store.Claim) (domain.Job, error) {
				if _, running, err := under.CountJobs(ctx, "acme"); err == nil && c.PerTenant > 0 && running >= c.PerTenant && c.ID == "" {
					c.Tenant, c.ID = "other-tenant", "job_two"
				}
				return under.ClaimJob(ctx, c)
			}
		})},
	}
}

// claimsInOrder claims the first queued job that is due, of all tenants of the checks, by another order.
func claimsInOrder(compare func(a, b domain.Job) int) func(store.Store) store.Store {
	return breakingWork(func(under store.Store, b *brokenWork) {
		b.claimJob = func(ctx ctxt, c store.Claim) (domain.Job, error) {
			var all []domain.Job
			for _, t := range []tenant{"acme", "other-tenant", "tenant-0", "tenant-1", "tenant-2", "tenant-3", "tenant-4"} {
				list, err := under.ListJobs(ctx, t, store.JobFilter{Status: domain.JobQueued}, store.List{Limit: 1000})
				if err != nil {
					return domain.Job{}, err
				}
				all = append(all, list...)
			}
			if len(all) == 0 {
				return under.ClaimJob(ctx, c)
			}
			first := slices.MinFunc(all, compare)
			c.Tenant, c.ID = first.Tenant, first.ID
			return under.ClaimJob(ctx, c)
		}
	})
}

func cancelBugs() []bug {
	const cancels = "cancels"
	onCancel := func(cancel func(ctx ctxt, under store.Store, t tenant, id string, at time.Time) (domain.Job, error)) func(store.Store) store.Store {
		return breakingWork(func(under store.Store, b *brokenWork) {
			b.cancelJob = func(ctx ctxt, t tenant, id string, at time.Time) (domain.Job, error) {
				return cancel(ctx, under, t, id, at)
			}
		})
	}
	return []bug{
		{"cancels for every tenant", cancels, onCancel(func(ctx ctxt, under store.Store, _ tenant, id string, at time.Time) (domain.Job, error) {
			return under.CancelJob(ctx, "acme", id, at)
		})},
		{"canceled at another time", cancels, onCancel(func(ctx ctxt, under store.Store, t tenant, id string, at time.Time) (domain.Job, error) {
			return under.CancelJob(ctx, t, id, at.Add(time.Second))
		})},
		{"a final job is canceled again", cancels, onCancel(func(ctx ctxt, under store.Store, t tenant, id string, at time.Time) (domain.Job, error) {
			j, err := under.CancelJob(ctx, t, id, at)
			if isCode(err, connectors.Conflict) {
				err = nil
			}
			return j, err
		})},
		{"cancels what runs", cancels, onCancel(func(ctx ctxt, under store.Store, t tenant, id string, at time.Time) (domain.Job, error) {
			j, err := under.CancelJob(ctx, t, id, at)
			if err == nil && j.Status == domain.JobRunning {
				j.Status, j.FinishedAt = domain.JobCanceled, at
				err = under.EndJob(ctx, store.Hold{Tenant: t, ID: id, Fence: j.Fence}, j)
				j.Owner = ""
			}
			return j, err
		})},
		{"does not ask the holder", cancels, onCancel(func(ctx ctxt, under store.Store, t tenant, id string, at time.Time) (domain.Job, error) {
			if j, err := under.Job(ctx, t, id); err == nil && j.Status == domain.JobRunning {
				return j, nil
			}
			return under.CancelJob(ctx, t, id, at)
		})},
		{"waits for the dead", cancels, onCancel(func(ctx ctxt, under store.Store, t tenant, id string, at time.Time) (domain.Job, error) {
			if j, err := under.Job(ctx, t, id); err == nil && strings.HasSuffix(id, "dead") {
				_, err = under.BeatJob(ctx, store.Hold{Tenant: t, ID: id, Fence: j.Fence}, time.Hour, nil)
				if err != nil {
					return j, err
				}
			}
			return under.CancelJob(ctx, t, id, at)
		})},
	}
}

func jobListBugs() []bug {
	const lists, sweeps = "lists of jobs", "sweeps of jobs"
	return []bug{
		{"ignores the status", lists, onJobFilter(func(f *store.JobFilter, _ *store.List) { f.Status = "" })},
		{"ignores the connection", lists, onJobFilter(func(f *store.JobFilter, _ *store.List) { f.ConnectionID = "" })},
		{"one of both filters", lists, onJobFilter(func(f *store.JobFilter, _ *store.List) {
			if f.ConnectionID != "" {
				f.Status = ""
			}
		})},
		{"connections in small letters", lists, onJobFilter(func(f *store.JobFilter, _ *store.List) { f.ConnectionID = strings.ToLower(f.ConnectionID) })},
		{"a listing of none is empty", lists, onJobFilter(func(_ *store.JobFilter, l *store.List) { l.Limit = max(l.Limit, 1) })},
		{"jobs page by the first one", "order of lists", onJobFilter(func(_ *store.JobFilter, l *store.List) { l.After = "" })},
		{"sweeps running jobs", sweeps, breakingWork(func(under store.Store, b *brokenWork) {
			b.listJobs = func(ctx ctxt, t tenant, f store.JobFilter, l store.List) ([]domain.Job, error) {
				list, err := under.ListJobs(ctx, t, f, l)
				return slices.DeleteFunc(list, func(j domain.Job) bool { return j.Status == domain.JobRunning }), err
			}
		})},
		{"sweeps without limit", sweeps, onJobSweep(func(before time.Time, _ int) (time.Time, int) { return before, 100 })},
		{"sweeps what just ended", sweeps, onJobSweep(func(before time.Time, limit int) (time.Time, int) { return before.Add(1), limit })},
		{"sweeps no jobs", sweeps, onJobSweep(func(time.Time, int) (time.Time, int) { return time.Unix(0, 0), 1 })},
	}
}

func onJobSweep(change func(time.Time, int) (time.Time, int)) func(store.Store) store.Store {
	return breakingWork(func(under store.Store, b *brokenWork) {
		b.sweepJobs = func(ctx ctxt, before time.Time, limit int) (int, error) {
			before, limit = change(before, limit)
			return under.SweepJobs(ctx, before, limit)
		}
	})
}
