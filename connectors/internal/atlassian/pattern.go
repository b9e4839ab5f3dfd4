package atlassian

import (
	"regexp"
	"sync"
)

// pattern returns a regular expression that is compiled when it is first used: most commands read no rich text, and
// should not pay for it when they start.
func pattern(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
