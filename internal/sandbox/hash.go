package sandbox

// rng is a splitmix64 stream: every generated value is a pure function of the seed and what it belongs to.
type rng uint64

// Domains keep the streams of different kinds of things apart.
const (
	domainIssue uint64 = iota + 1
	domainComment
	domainCreated
	domainUpdated
	domainProject
	domainFault
	domainToken
	domainSite
	domainSpace
	domainOrg
	domainContent
	domainModified
	domainNote
	domainStorage
	domainHistory
	domainWorklog
)

// newRNG starts the stream of the thing numbered index within domain.
func newRNG(seed, domain uint64, index int64) rng {
	return rng(mix(mix(seed+domain*0x9e3779b97f4a7c15) ^ uint64(index)*0xd1342543de82ef95))
}

func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

func (r *rng) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	return mix(uint64(*r))
}

// below returns a number in [0, bound); bound must be positive.
func (r *rng) below(bound int) int {
	return int(r.next() % uint64(bound))
}

// oneIn reports true once in n draws on average.
func (r *rng) oneIn(n int) bool {
	return r.below(n) == 0
}

// unit returns a number in [0, 1).
func (r *rng) unit() float64 {
	return float64(r.next()>>11) / (1 << 53)
}
