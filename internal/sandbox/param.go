package sandbox

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// intParam reads a number from 0 to 2^31-1, the fallback when it is absent.
func intParam(query url.Values, name string, fallback int) (int, error) {
	value := query.Get(name)
	if value == "" {
		return fallback, nil
	}
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("the value '%s' of the parameter '%s' is not a whole number from 0 to 2147483647", value, name)
	}
	return int(n), nil
}

// commaList splits values that may be repeated, comma-separated or both.
func commaList(values []string) []string {
	var list []string
	for _, value := range values {
		for part := range strings.SplitSeq(value, ",") {
			if part = strings.TrimSpace(part); part != "" {
				list = append(list, part)
			}
		}
	}
	return list
}

func commaSet(values []string) map[string]bool {
	set := map[string]bool{}
	for _, part := range commaList(values) {
		set[part] = true
	}
	return set
}
