package rest

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// clock is the system's time as its latest answer told it, and when that was by ours. The two are never compared: time that
// passes is measured by our monotonic clock, so that neither a difference nor a step of ours matters.
type clock struct {
	mu    sync.Mutex
	told  time.Time
	local time.Time
}

// NoteTime remembers the time by the system's clock that an answer that has just come carries.
func (c *Client) NoteTime(at time.Time) {
	c.clock.mu.Lock()
	defer c.clock.mu.Unlock()
	c.clock.told, c.clock.local = at, c.now()
}

// noteDate remembers when an answer was made (RFC 9110, section 6.6.1): in whole seconds, the fraction cut off. One that a
// cache kept says nothing of now (RFC 9111, section 5.1).
func (c *Client) noteDate(h http.Header) {
	if age := h.Get("Age"); age != "" && age != "0" {
		return
	}
	if at, err := http.ParseTime(h.Get("Date")); err == nil {
		c.NoteTime(at)
	}
}

// unsure is how far behind the clock of a system may be that tells no time.
const unsure = 5 * time.Minute

// SystemTime returns the time by the system's clock, no later than it is there: as the latest answer told, or one to
// ask, which makes a request. A system that tells no time is taken to be up to five minutes behind.
func (c *Client) SystemTime(ctx context.Context, ask func(context.Context) error) (time.Time, error) {
	if at, ok := c.told(); ok {
		return at, nil
	}
	if err := ask(ctx); err != nil {
		return time.Time{}, err
	}
	if at, ok := c.told(); ok {
		return at, nil
	}
	return c.now().Add(-unsure), nil
}

func (c *Client) told() (time.Time, bool) {
	c.clock.mu.Lock()
	defer c.clock.mu.Unlock()
	if c.clock.told.IsZero() {
		return time.Time{}, false
	}
	return c.clock.told.Add(max(c.now().Sub(c.clock.local), 0)), true
}
