package storetest

import (
	"context"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/store"
)

func durability(t TB, open func() store.Store) {
	s := open()
	seed(t, s, acme)
	seed(t, s, other)
	for _, c := range calls() {
		_, err := c.run(t.Context(), s, acme)
		must(t, err)
	}
	before := kept(t, s, acme, other)
	must(t, s.Close())
	same(t, "records after closing and opening", kept(t, open(), acme, other), before)
}

func twoStores(t TB, open func() store.Store) {
	a, b := open(), open()
	seed(t, a, acme)
	same(t, "records of one store, read by the other", kept(t, b, acme), kept(t, a, acme))
	for _, k := range kinds() {
		_, err := k.update(t.Context(), b, acme, "one", "", 1)
		must(t, err)
		wantRecord(t, a, k, "one", 2, "")
		_, err = k.update(t.Context(), a, acme, "one", "on", 1)
		wantCode(t, k.name+": update of what the other store has changed", err, connectors.Conflict)
		wantCode(t, k.name+": creation of what the other store has", k.create(t.Context(), b, acme, "two", ""), connectors.Conflict)
	}
	must(t, b.DeleteConnection(t.Context(), acme, "con_one", 2))
	_, err := a.Connection(t.Context(), acme, "con_one")
	wantCode(t, "what the other store has deleted", err, connectors.NotFound)
	must(t, b.Close())
	must(t, a.Ping(t.Context()))
}

func endedContexts(t TB, open func() store.Store) {
	s := open()
	seed(t, s, acme)
	before := kept(t, s, acme)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancelLate := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancelLate()
	for _, c := range calls() {
		_, err := c.run(cancelled, s, acme)
		wantCode(t, c.name+" with a cancelled context", err, connectors.Unavailable, connectors.Timeout)
		_, err = c.run(late, s, acme)
		wantCode(t, c.name+" with a passed deadline", err, connectors.Timeout, connectors.Unavailable)
	}
	same(t, "records after calls with an ended context", kept(t, s, acme), before)
}

func useAfterClose(t TB, open func() store.Store) {
	s, witness := open(), open()
	seed(t, s, acme)
	before := kept(t, witness, acme)
	must(t, s.Close())
	for _, c := range calls() {
		_, err := c.run(t.Context(), s, acme)
		wantCode(t, c.name+" after Close", err, connectors.Unavailable)
	}
	same(t, "records after calls on a closed store", kept(t, witness, acme), before)
}

func identity(t TB, open func() store.Store) {
	s := open()
	must(t, s.Ping(t.Context()))
	if s.Name() == "" {
		t.Errorf("the store has no name")
	}
}
