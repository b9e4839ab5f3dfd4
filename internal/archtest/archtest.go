// Package archtest holds the import rules between the packages of ucf, as a test: an arrow that is not drawn here
// fails. docs/ARCHITECTURE.md tells why each arrow is there.
package archtest

import "strings"

// rule says what the packages below a folder may import of ours. A pattern ending in /... covers the folder and all
// below it.
type rule struct {
	from string
	to   []string
}

// rules are held from the top: the first one whose from covers a package counts.
var rules = []rule{
	{"cmd/ucf", []string{"internal/cli"}},
	{"cmd/ucf-gen", []string{"internal/cli", "internal/app", "internal/config", "internal/httpapi", "connectors/..."}},
	{"internal/cli", []string{"internal/app", "internal/service", "internal/httpapi", "internal/sandbox", "internal/config", "internal/domain", "internal/secret", "internal/webpage"}},
	{"internal/app", []string{"connectors/...", "internal/config", "internal/domain", "internal/engine", "internal/httpapi", "internal/jobs", "internal/oauth", "internal/secret", "internal/service", "internal/sink", "internal/store/...", "internal/transport"}},
	{"internal/httpapi", []string{"internal/service", "internal/domain", "internal/webpage"}},
	{"internal/service", []string{"internal/oauth", "internal/secret", "internal/store", "internal/domain"}},
	{"internal/engine", []string{"internal/store", "internal/domain"}},
	{"internal/sink", []string{"internal/engine", "internal/domain"}},
	{"internal/jobs", []string{"internal/engine", "internal/service", "internal/store", "internal/domain"}},
	{"internal/oauth", []string{"internal/secret", "internal/domain"}},
	{"internal/store/...", []string{"internal/store", "internal/domain"}},
	{"internal/transport", nil},
	{"internal/secret", nil},
	{"internal/domain", nil},
	{"internal/webpage", nil},
	{"internal/config", nil},
	{"internal/sandbox", nil},
	{"internal/archtest", nil},
	{"internal/bench", []string{"internal/store/...", "internal/domain"}},
	{"connectors/all", []string{"connectors/..."}},
	{"connectors/connectortest", nil},
	{"connectors/internal/...", []string{"connectors/internal/..."}},
	{"connectors/...", []string{"connectors/internal/..."}},
}

// publicContract is the package that every other may import, but those that stand alone.
const publicContract = "connectors"

// alone lists what imports not even the public contract.
var alone = []string{"internal/sandbox", publicContract}

// allowed reports whether the package from may import the package to; both are relative to the module.
func allowed(from, to string) bool {
	if to == publicContract {
		for _, a := range alone {
			if from == a {
				return false
			}
		}
		return true
	}
	for _, r := range rules {
		if !covers(r.from, from) {
			continue
		}
		for _, p := range r.to {
			if covers(p, to) {
				return true
			}
		}
		return false
	}
	return false
}

func covers(pattern, pkg string) bool {
	if dir, ok := strings.CutSuffix(pattern, "/..."); ok {
		return pkg == dir || strings.HasPrefix(pkg, dir+"/")
	}
	return pattern == pkg
}
