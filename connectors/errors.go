package connectors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Code says what kind of failure an error is. Callers act on codes, never on texts.
type Code string

// The codes. Each has one HTTP status and one exit code.
const (
	InvalidRequest   Code = "invalid_request"    // unreadable or faulty input; Details "fields" lists faults in fields
	TenantRequired   Code = "tenant_required"    // no tenant was named
	Unauthenticated  Code = "unauthenticated"    // no or bad credentials for ucf itself
	Forbidden        Code = "forbidden"          // the caller lacks the scope or the tenant
	NotFound         Code = "not_found"          // missing, or another tenant's
	MethodNotAllowed Code = "method_not_allowed" // the route has no such method
	Conflict         Code = "conflict"           // stale revision, duplicate name, several to choose from
	PayloadTooLarge  Code = "payload_too_large"  // a body over the limit
	Reauthorize      Code = "reauthorize"        // the provider refused the credential: connect again
	RateLimited      Code = "rate_limited"       // ours or the provider's limit; RetryAfter tells the wait
	Incomplete       Code = "incomplete"         // done, but something could not be read; it is named
	Unsupported      Code = "unsupported"        // this connector cannot do that
	ProviderError    Code = "provider_error"     // the provider failed or answered nonsense
	Unavailable      Code = "unavailable"        // store down, queue full, shutting down
	Timeout          Code = "timeout"            // an answer did not come in time
	Internal         Code = "internal"           // our own fault
)

// Codes returns every code, in the order of the documentation.
func Codes() []Code {
	return []Code{
		InvalidRequest, TenantRequired, Unauthenticated, Forbidden, NotFound, MethodNotAllowed, Conflict,
		PayloadTooLarge, Reauthorize, RateLimited, Incomplete, Unsupported, ProviderError, Unavailable,
		Timeout, Internal,
	}
}

// Error is a failure with its code. Message may be shown to anyone and says what to do next; Err is the cause and
// may only be logged.
type Error struct {
	Code       Code
	Op         string         // what was being done, as in "jira.items"; added once, by the layer that knows
	Message    string         // what failed, why, and what to do next
	Details    map[string]any // machine-readable facts, such as "fields" or "sites"
	RetryAfter time.Duration  // how long to wait before another try; zero when unknown
	Err        error
}

// Error returns the operation and the message, never the cause.
func (e *Error) Error() string {
	if e.Op == "" {
		return e.Message
	}
	return e.Op + ": " + e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// LogValue logs the error with its cause.
func (e *Error) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("code", string(e.Code)), slog.String("op", e.Op), slog.String("message", e.Message)}
	if e.Err != nil {
		attrs = append(attrs, slog.String("cause", e.Err.Error()))
	}
	return slog.GroupValue(attrs...)
}

// Errorf returns an error with a code and a message for people. A %w operand becomes the cause and must have a text
// that may be shown.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), Err: errors.Unwrap(err)}
}

// Wrap returns an error with a code, a cause that is only logged, and a message for people.
func Wrap(code Code, cause error, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Err: cause}
}

// Fault is one faulty field of an input.
type Fault struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// InvalidFields returns an [InvalidRequest] that lists all faults in Details "fields", or nil without any.
func InvalidFields(faults ...Fault) error {
	if len(faults) == 0 {
		return nil
	}
	msg := ""
	for i, f := range faults {
		if i > 0 {
			msg += "; "
		}
		msg += f.Field + ": " + f.Message
	}
	return &Error{Code: InvalidRequest, Message: msg, Details: map[string]any{"fields": faults}}
}

// CodeOf returns the code of an error: of the outermost *Error in its chain, [Timeout] for a passed deadline,
// [Unavailable] for a cancelled context, and [Internal] for everything uncoded. It returns "" for nil.
func CodeOf(err error) Code {
	var e *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Code
	case errors.Is(err, context.DeadlineExceeded):
		return Timeout
	case errors.Is(err, context.Canceled):
		return Unavailable
	}
	return Internal
}

// AsError returns err as an *Error. Uncoded errors are coded as [CodeOf] says, with a message that tells nothing of
// their text.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	messages := map[Code]string{
		Timeout:     "the deadline passed before the work was done",
		Unavailable: "the work was cancelled",
		Internal:    "internal error",
	}
	code := CodeOf(err)
	return &Error{Code: code, Message: messages[code], Err: err}
}

// deniedDetail is the key in Details that tells a denied right from a refused credential.
const deniedDetail = "denied"

// Denied returns a [Reauthorize] error for a credential that is good but may not read what was asked: an account
// with more rights is needed, while everything else that the connection reads goes on.
func Denied(cause error, format string, args ...any) *Error {
	e := Wrap(Reauthorize, cause, format, args...)
	e.Details = map[string]any{deniedDetail: true}
	return e
}

// IsDenied reports whether err comes from [Denied].
func IsDenied(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Details[deniedDetail] == true
}
