package sandbox

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

func parseDelay(value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 || d > maxLatency {
		return 0, fmt.Errorf("latency needs a duration from 0 to %s such as 200ms, not %q", maxLatency, value)
	}
	return d, nil
}

func parseSize(value string) (int64, error) {
	units := []struct {
		suffix string
		size   int64
	}{{"GB", 1 << 30}, {"MB", 1 << 20}, {"KB", 1 << 10}, {"B", 1}}
	for _, unit := range units {
		number, ok := strings.CutSuffix(value, unit.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(number, 10, 32)
		if err == nil && n > 0 && int64(n) <= maxPad/unit.size {
			return int64(n) * unit.size, nil
		}
		break
	}
	return 0, fmt.Errorf("pad needs a size from 1B to 4GB such as 100MB, not %q", value)
}

func parseStatus(name string) (int, error) {
	status, err := strconv.Atoi(name)
	if err != nil || len(name) != 3 {
		return 0, fmt.Errorf("kind %q is unknown: use latency, pad, hang, reset, lost, cut, truncate, html, "+
			"anonymous, repeat-token, expire-token, empty-page or a status from 400 to 599", name)
	}
	if status < 400 || status > 599 {
		return 0, fmt.Errorf("status %d is not a failure: use 400 to 599", status)
	}
	return status, nil
}

func parseRate(value string) (float64, error) {
	rate, err := strconv.ParseFloat(value, 64)
	if err != nil || !(rate >= 0 && rate <= 1) {
		return 0, fmt.Errorf("the share of requests must be a number from 0 to 1, not %q", value)
	}
	return rate + 0, nil // makes -0 an ordinary 0
}

func parseCount(name, value string, low, high int) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("option %q needs a whole number from %d to %d, not %q", name, low, high, value)
	}
	return n, nil
}

// parseSelector accepts what may stand in a header or a path; reason ends up in a header.
func parseSelector(name, value string) (string, error) {
	if value == "" || len(value) > maxSelector {
		return "", fmt.Errorf("option %q needs a value of at most %d bytes", name, maxSelector)
	}
	for i := range len(value) {
		if value[i] <= ' ' || value[i] > '~' {
			return "", fmt.Errorf("option %q takes visible ASCII characters only, not %q", name, value)
		}
	}
	return value, nil
}
