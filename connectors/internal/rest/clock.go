package rest

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// clock is how far the system's clock is ahead of ours, as its latest answer told.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
	known bool
}

// noteTime remembers the time that an answer carries (RFC 9110, section 6.6.1). One that a cache kept says nothing of now.
func (c *Client) noteTime(h http.Header) {
	at, err := http.ParseTime(h.Get("Date"))
	if age := h.Get("Age"); err != nil || age != "" && age != "0" {
		return
	}
	c.clock.mu.Lock()
	defer c.clock.mu.Unlock()
	c.clock.ahead, c.clock.known = at.Sub(c.now()), true
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
	return c.now().Add(c.clock.ahead), c.clock.known
}
