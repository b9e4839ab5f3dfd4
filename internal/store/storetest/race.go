package storetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/store"
)

const (
	workers = 16
	rounds  = 4
)

// together runs work in many goroutines that start at once, half of them on each store, and returns their errors.
func together(a, b store.Store, work func(n int, s store.Store) error) []error {
	errs := make([]error, workers)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for n := range workers {
		wg.Go(func() {
			<-start
			errs[n] = work(n, []store.Store{a, b}[n%2])
		})
	}
	close(start)
	wg.Wait()
	return errs
}

func concurrentChanges(t TB, open func() store.Store) {
	a, b := open(), open()
	for _, k := range kinds() {
		first := "0"
		if k.flag {
			first = ""
		}
		must(t, k.create(t.Context(), a, acme, "counter", first))
		must(t, errors.Join(together(a, b, func(_ int, s store.Store) error {
			for range rounds {
				if err := addOne(t.Context(), s, k); err != nil {
					return err
				}
			}
			return nil
		})...))
		want := strconv.Itoa(workers * rounds)
		if k.flag {
			want = "" // turned over an even number of times
		}
		wantRecord(t, b, k, "counter", 1+workers*rounds, want)
	}
}

// addOne reads the counter and writes it increased, again after each conflict.
func addOne(ctx context.Context, s store.Store, k kind) error {
	for {
		revision, value, err := k.read(ctx, s, acme, "counter")
		if err != nil {
			return err
		}
		got, err := k.update(ctx, s, acme, "counter", next(k, value), revision)
		switch {
		case err == nil && got != revision+1:
			return fmt.Errorf("%s: update of revision %d returned %d", k.name, revision, got)
		case connectors.CodeOf(err) == connectors.Conflict:
			continue
		}
		return err
	}
}

func next(k kind, value string) string {
	if k.flag {
		return map[string]string{"": "on", "on": ""}[value]
	}
	n, _ := strconv.Atoi(value)
	return strconv.Itoa(n + 1)
}

func concurrentCreation(t TB, open func() store.Store) {
	a, b := open(), open()
	for _, k := range kinds() {
		wantOneWinner(t, "creators of one "+k.name, together(a, b, func(_ int, s store.Store) error {
			return k.create(t.Context(), s, acme, "contested", "on")
		}))
		wantRecord(t, a, k, "contested", 1, "on")
	}
	wantOneWinner(t, "creators of one name", together(a, b, func(n int, s store.Store) error {
		return s.CreateConnection(t.Context(), named(acme, sortable(n), "jira", "contested"))
	}))
	wantOneWinner(t, "deleters of one connection", together(a, b, func(_ int, s store.Store) error {
		err := s.DeleteConnection(t.Context(), acme, "con_contested", 1)
		if connectors.CodeOf(err) == connectors.NotFound {
			return connectors.Errorf(connectors.Conflict, "another one was first")
		}
		return err
	}))
}

// wantOneWinner checks that one call succeeded and all others were in conflict.
func wantOneWinner(t TB, what string, errs []error) {
	t.Helper()
	winners := 0
	for _, err := range errs {
		if err == nil {
			winners++
			continue
		}
		wantCode(t, what, err, connectors.Conflict)
	}
	same(t, what+": how many won", winners, 1)
}
