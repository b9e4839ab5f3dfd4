package salesforce

import (
	"sync"
	"time"
)

// catalog is what the driver remembers of the org for a while. It is safe for concurrent use.
type catalog struct {
	version kept[version]
	objects kept[objects]

	mu        sync.Mutex
	described map[string]*kept[object]
}

// How long things are remembered. What an administrator changes meanwhile shows in refused queries, which are made
// again after another look.
const (
	keepVersion = time.Hour
	keepObjects = 5 * time.Minute
)

// maxDescribed bounds how many objects are remembered; no org has as many.
const maxDescribed = 4000

func newCatalog() *catalog {
	return &catalog{
		version: kept[version]{life: keepVersion}, objects: kept[objects]{life: keepObjects},
		described: map[string]*kept[object]{},
	}
}

// object returns the place of what is known of an object.
func (c *catalog) object(name string) *kept[object] {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.described[name]
	if !ok {
		if len(c.described) >= maxDescribed {
			clear(c.described)
		}
		k = &kept[object]{life: keepObjects}
		c.described[name] = k
	}
	return k
}

// kept is a value that is remembered for its life.
type kept[T any] struct {
	life time.Duration

	mu    sync.Mutex
	value T
	at    time.Time
}

// get returns the value, and false where there is none or it is too old.
func (k *kept[T]) get(now time.Time) (T, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	age := now.Sub(k.at)
	return k.value, !k.at.IsZero() && age >= 0 && age < k.life
}

func (k *kept[T]) put(v T, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.value, k.at = v, now
}

func (k *kept[T]) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.at = time.Time{}
}
