package rest

import (
	"net/http"
	"net/url"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// maxSkew is how far clocks may be apart before signed requests and cursors in time become unreliable.
const maxSkew = 5 * time.Minute

// Warnings returns what an answer from an address tells of a connection that works and yet needs attention: clocks that
// are apart, and an address without TLS.
func (c *Client) Warnings(address string, header http.Header) []connectors.Warning {
	var list []connectors.Warning
	if theirs, err := http.ParseTime(header.Get("Date")); err == nil {
		if skew := c.now().Sub(theirs).Round(time.Second); skew.Abs() > maxSkew {
			list = append(list, connectors.Warning{
				Code: "clock_skew", Message: "this machine's clock and " + c.System + "'s are " + skew.Abs().String() + " apart: set the clock",
			})
		}
	}
	if u, err := url.Parse(address); err == nil && u.Scheme == "http" {
		list = append(list, connectors.Warning{
			Code: "plaintext", Message: "the credential travels unencrypted: use an address that begins with https://",
		})
	}
	return list
}
