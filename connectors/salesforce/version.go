package salesforce

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/rest"
)

// apiVersion is the version of the API that this connector is made for, Summer '26.
const apiVersion = "67.0"

// wanted is apiVersion.
var wanted = version{Version: apiVersion}

// version is an entry of the list of versions.
type version struct {
	Version string `json:"version"`
}

var versionForm = regexp.MustCompile(`^[0-9]{1,3}(\.[0-9])?$`)

// number returns the version as a number, 0 for what is none.
func (v version) number() float64 {
	if !versionForm.MatchString(v.Version) {
		return 0
	}
	n, _ := strconv.ParseFloat(v.Version, 64)
	return n
}

// path returns the path of a resource of the version.
func (v version) path(segments ...string) string {
	return rest.Path(append([]string{"services", "data", "v" + v.Version}, segments...)...)
}

// askVersions asks which versions of the API an org has, the oldest first. Anyone may ask that, and it costs no request of
// the org's limit.
func askVersions(ctx context.Context, c *rest.Client) ([]version, http.Header, error) {
	var list []version
	header, err := c.Get(ctx, "/services/data/", nil, &list)
	if err != nil {
		return nil, nil, err
	}
	if len(list) == 0 {
		return nil, nil, c.Nonsense("no list of versions")
	}
	list = slices.DeleteFunc(list, func(v version) bool { return v.number() == 0 })
	if len(list) == 0 {
		return nil, nil, c.Nonsense("a list of versions without numbers")
	}
	slices.SortFunc(list, func(a, b version) int { return cmp.Compare(a.number(), b.number()) })
	return list, header, nil
}

// usable returns the newest version of a list, the oldest first, that is not newer than the wanted one. An org without
// any is [connectors.Unsupported].
func usable(list []version, want version) (version, error) {
	best := version{}
	for _, v := range list {
		if v.number() <= want.number() {
			best = v
		}
	}
	if best.number() == 0 {
		return best, connectors.Errorf(connectors.Unsupported,
			"the org no longer has version %s of the API, its oldest is %s: set api_version to one that it has, or leave it out", want.Version, list[0].Version)
	}
	return best, nil
}

// version returns the version that requests are made in; it is asked for once an hour.
func (d *Driver) version(ctx context.Context) (version, error) {
	if v, ok := d.known.version.get(d.now()); ok {
		return v, nil
	}
	list, _, err := askVersions(ctx, d.api)
	if err != nil {
		return version{}, err
	}
	v, err := usable(list, d.wanted)
	if err == nil {
		d.known.version.put(v, d.now())
	}
	return v, err
}

// versionWarnings warns of an org that lacks the version that is wanted.
func versionWarnings(list []version, want version) []connectors.Warning {
	if slices.ContainsFunc(list, func(v version) bool { return v.number() == want.number() }) {
		return nil
	}
	newest := list[len(list)-1]
	return []connectors.Warning{{Code: "api_version", Message: fmt.Sprintf(
		"the org has the API up to version %s and lacks %s, which ucf asks for: listings use an older one", newest.Version, want.Version)}}
}
