package salesforce

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/unified-connector/ucf/connectors"
)

// usageForm finds the requests of 24 hours in the header Sforce-Limit-Info, used and allowed.
var usageForm = regexp.MustCompile(`(?:^|[;,\s])api-usage=([0-9]{1,18})/([0-9]{1,18})(?:[;,\s]|$)`)

// usage returns how many of its API requests of the last 24 hours an org has used, and how many it has, from the header
// Sforce-Limit-Info that every answer of the API carries, as in
//
//	Sforce-Limit-Info: api-usage=10018/100000; per-app-api-usage=17/250(appName=x)
//
// ok is false where the header does not tell.
func usage(h http.Header) (used, limit int64, ok bool) {
	m := usageForm.FindStringSubmatch(strings.Join(h.Values("Sforce-Limit-Info"), "; "))
	if m == nil {
		return 0, 0, false
	}
	used, err := strconv.ParseInt(m[1], 10, 64)
	limit, err2 := strconv.ParseInt(m[2], 10, 64)
	if err != nil || err2 != nil || limit <= 0 {
		return 0, 0, false
	}
	return used, limit, true
}

// usedPercent is the share of an org's requests from which on a probe warns.
const usedPercent = 80

// usageWarnings warns when most of the requests that an org has for 24 hours are used.
func usageWarnings(h http.Header) []connectors.Warning {
	used, limit, ok := usage(h)
	if !ok || float64(used) <= float64(limit)*usedPercent/100 {
		return nil
	}
	return []connectors.Warning{{
		Code: "limit_near", Message: "the org has used " + strconv.FormatInt(used, 10) + " of its " + strconv.FormatInt(limit, 10) +
			" API requests of the last 24 hours; at the limit it refuses all of them",
	}}
}
