// Package storetest is the suite that every implementation of [store.Store] passes. It holds each line of the
// contract, and fixes what the contract leaves to the records:
//
//   - Times come back as the same instant to the nanosecond, in UTC; the zero time comes back zero.
//   - nil maps and lists come back nil, empty ones empty.
//   - Config and Meta come back as JSON decodes them, with every number a [encoding/json.Number] of the same digits:
//     an int 5432 becomes json.Number("5432"), a []string becomes []any.
//   - Names and IDs are compared exactly, byte for byte. An ID in use by another tenant is free.
//   - An update does not take back a later LastUsedAt that a touch has set meanwhile.
package storetest

import (
	"context"
	"slices"
	"testing"

	"github.com/unified-connector/ucf/internal/store"
)

// TB is what a check needs of a test.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Context() context.Context
}

// Opener opens the store whose data is named by a folder: the same folder is the same data, a new one none. The
// suite closes what it returns.
type Opener func(t testing.TB, dir string) store.Store

// Check is one part of the suite. Each call of open returns one more store on the same data, as another process
// has it.
type Check struct {
	Name string
	Func func(t TB, open func() store.Store)
}

// Checks returns the suite.
func Checks() []Check {
	return slices.Concat(basicChecks(), jobChecks(), recordChecks())
}

func basicChecks() []Check {
	return []Check{
		{"round trip of connections", roundTripConnections},
		{"round trip of tokens", roundTripTokens},
		{"round trip of grants", roundTripGrants},
		{"keys of grants", grantKeys},
		{"a claim is held by one", oneClaim},
		{"due tokens", dueTokens},
		{"tokens of other keys", otherKeys},
		{"oauth states", oauthStates},
		{"a state is taken by one", oneTaker},
		{"round trip of sync states", roundTripSyncStates},
		{"round trip of settings", roundTripSettings},
		{"budgets", budgets},
		{"round trip of audit entries", roundTripAudit},
		{"cursors of a megabyte", bigCursors},
		{"revisions count", revisions},
		{"stale revisions", staleRevisions},
		{"missing records", missingRecords},
		{"duplicates", duplicates},
		{"names", names},
		{"renames", renames},
		{"touch", touch},
		{"other tenants", otherTenants},
		{"order of lists", orderOfLists},
		{"paging while records come and go", pagingUnderChange},
		{"connections of one connector", connectionsOfConnector},
		{"sync states by key", syncStatesByKey},
		{"scopes of deleting sync states", deleteScopes},
		{"audit newest first", auditOrder},
		{"audit filters", auditFilters},
		{"key ids of tokens", keyIDs},
		{"durability", durability},
		{"two stores on the same data", twoStores},
		{"ended contexts", endedContexts},
		{"use after close", useAfterClose},
		{"concurrent changes of one record", concurrentChanges},
		{"concurrent creation of one record", concurrentCreation},
		{"identity", identity},
	}
}

func jobChecks() []Check {
	return []Check{
		{"round trip of jobs", roundTripJobs},
		{"idempotency keys", idempotencyKeys},
		{"claims", claims},
		{"due times", dueTimes},
		{"beats", beats},
		{"ends of jobs", endsOfJobs},
		{"claims of the dead", claimsOfTheDead},
		{"each job is claimed by one", oneJobEach},
		{"a job is claimed by one", oneClaimant},
		{"turns are fair", fairTurns},
		{"none comes before who waits", noQueueJumping},
		{"jobs of one tenant", jobsPerTenant},
		{"jobs of one connection", jobsPerConnection},
		{"cancels", cancels},
		{"lists of jobs", listsOfJobs},
		{"sweeps of jobs", sweepsOfJobs},
	}
}

func recordChecks() []Check {
	return []Check{
		{"round trip of records", roundTripRecords},
		{"puts and numbers", putsAndNumbers},
		{"tombstones", tombstones},
		{"pages of changes", pagesOfChanges},
		{"feeds are apart", feedsApart},
		{"leases of feeds", leasesOfFeeds},
		{"ends of leases", endsOfLeases},
		{"a feed is held by one", oneHolder},
		{"finding records", findingRecords},
		{"stamps of records", stamps},
		{"sweeps of tombstones", sweepsOfTombstones},
		{"oldest before tombstones vanish", oldestFirst},
		{"feeds that are dropped", droppedFeeds},
		{"epochs", epochs},
		{"late writes", lateWrites},
		{"deaths in the middle of a put", deathsInTheMiddle},
		{"nothing is missed", nothingMissed},
	}
}

// Run runs the suite.
func Run(t *testing.T, open Opener) {
	for _, c := range Checks() {
		t.Run(c.Name, func(t *testing.T) {
			c.Func(t, On(t, open, t.TempDir()))
		})
	}
}

// On returns a function that opens stores on the data of one folder, and closes them when the test ends.
func On(t testing.TB, open Opener, dir string) func() store.Store {
	return func() store.Store {
		t.Helper()
		s := open(t, dir)
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
		return s
	}
}
