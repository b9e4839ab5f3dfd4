package connectortest

import (
	"sync/atomic"
	"time"
)

// crowdTime bounds how long a crowd gathers: a connector may let fewer callers through at once than there are.
const crowdTime = 100 * time.Millisecond

// crowd makes requests overlap for certain: the first n wait for each other. A nil crowd holds nobody.
type crowd struct {
	missing atomic.Int64
	whole   chan struct{}
	timeout <-chan time.Time
}

func newCrowd(n int) *crowd {
	c := &crowd{whole: make(chan struct{}), timeout: time.After(crowdTime)}
	c.missing.Store(int64(n))
	return c
}

// join waits until the crowd is whole, or its time is over.
func (c *crowd) join() {
	if c == nil {
		return
	}
	if c.missing.Add(-1) == 0 {
		close(c.whole)
	}
	select {
	case <-c.whole:
	case <-c.timeout:
		// Those that come later need not wait either.
		if c.missing.Swap(0) > 0 {
			close(c.whole)
		}
	}
}
