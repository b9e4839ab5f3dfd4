package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"syscall"

	"github.com/unified-connector/ucf/connectors"
)

// The exit codes of a command that a signal ended: 128 and its number, as shells have it.
const (
	interrupted = 130 // SIGINT
	readerGone  = 141 // SIGPIPE: whoever read the output has had enough, which is nothing to complain about
)

// exitCodes are the exit codes of the error codes.
var exitCodes = map[connectors.Code]int{
	connectors.Internal:         1,
	connectors.InvalidRequest:   2,
	connectors.TenantRequired:   2,
	connectors.MethodNotAllowed: 2,
	connectors.PayloadTooLarge:  2,
	connectors.Incomplete:       3,
	connectors.Unauthenticated:  4,
	connectors.Forbidden:        4,
	connectors.Reauthorize:      4,
	connectors.NotFound:         5,
	connectors.Conflict:         6,
	connectors.Unsupported:      7,
	connectors.RateLimited:      8,
	connectors.ProviderError:    9,
	connectors.Unavailable:      9,
	connectors.Timeout:          10,
}

// exitHelp ends the help of every command.
const exitHelp = `Exit codes: 0 ok, 1 internal, 2 usage or invalid input, 3 done but incomplete,
4 not authorised, 5 not found, 6 conflict, 7 unsupported, 8 rate limited,
9 provider failed or unavailable, 10 timeout, 130 interrupted.`

// ExitCode returns the exit code of an error code.
func ExitCode(c connectors.Code) int { return exitCodes[c] }

// fail prints an error, once, and returns the exit code.
func (c *commandLine) fail(ctx context.Context, err error) int {
	var e *connectors.Error
	switch {
	case errors.Is(err, syscall.EPIPE):
		return readerGone
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		c.note("interrupted")
		return interrupted
	case errors.As(err, &e):
	default:
		// Uncoded errors are cobra's: they speak of commands and flags.
		e = connectors.Wrap(connectors.InvalidRequest, err, "%s; see `ucf --help`", err.Error())
	}
	c.log().DebugContext(ctx, "command failed", "error", e)
	if c.forPrograms() {
		c.failJSON(e)
	} else {
		c.failText(e)
	}
	return ExitCode(e.Code)
}

func (c *commandLine) failJSON(e *connectors.Error) {
	b, err := json.Marshal(struct {
		Code      connectors.Code `json:"code"`
		Message   string          `json:"message"`
		Details   map[string]any  `json:"details,omitempty"`
		RequestID string          `json:"requestId"`
	}{e.Code, e.Message, e.Details, c.requestID})
	if err != nil {
		c.failText(e)
		return
	}
	fmt.Fprintf(c.io.Err, "%s\n", b)
}

func (c *commandLine) failText(e *connectors.Error) {
	const label = "error: "
	if faults, _ := e.Details["fields"].([]connectors.Fault); len(faults) > 1 {
		c.say(label, fmt.Sprintf("%d faults", len(faults)))
		for _, f := range faults {
			fmt.Fprintf(c.io.Err, "  %s: %s\n", oneLine(f.Field), oneLine(f.Message))
		}
		return
	}
	c.say(label, e.Message)
	if e.RetryAfter > 0 {
		fmt.Fprintf(c.io.Err, "       try again in %s\n", e.RetryAfter.Round(1e9))
	}
	if e.Code == connectors.Internal {
		fmt.Fprintf(c.io.Err, "       request id %s; --verbose shows the cause\n", c.requestID)
	}
}
