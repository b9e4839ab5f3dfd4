package postgres

import (
	"sync"
	"time"
)

const (
	cacheTime = 10 * time.Second
	cacheSize = 256
)

// cache keeps descriptions for cacheTime, so that a page costs one round trip.
type cache[K comparable, V any] struct {
	now func() time.Time
	mu  sync.Mutex
	all map[K]cached[V]
}

type cached[V any] struct {
	value V
	since time.Time
}

// get returns what was kept, or nothing where it is too old.
func (c *cache[K, V]) get(key K) (value V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.all[key]; ok && c.now().Sub(e.since) <= cacheTime {
		return e.value
	}
	return value
}

func (c *cache[K, V]) put(key K, value V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil || len(c.all) >= cacheSize {
		c.all = map[K]cached[V]{}
	}
	c.all[key] = cached[V]{value, c.now()}
}
