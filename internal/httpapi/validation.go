package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/danielgtaylor/huma/v2/validation"

	"github.com/unified-connector/ucf/connectors"
)

// maxFaults bounds how many faults an answer lists.
const maxFaults = 100

// missingMark tells a fault of an absent property, whose name huma gives in the message alone.
const missingMark = "\x00"

// huma keeps its error type, its messages and its rules in package variables.
func init() {
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		return validationFailure(nil, status, msg, errs...)
	}
	huma.NewErrorWithContext = validationFailure
	huma.ValidateStrictCasing = true
	huma.DefaultArrayNullable = false
	validation.MsgExpectedRequiredProperty = missingMark + "%s"
	validation.MsgUnexpectedProperty = "unknown field"
	validation.MsgExpectedOneOf = "must be one of %s"
	validation.MsgExpectedMinimumNumber = "must be at least %v"
	validation.MsgExpectedMaximumNumber = "must be at most %v"
	validation.MsgExpectedMinLength = "must have at least %d characters"
	validation.MsgExpectedMaxLength = "must have at most %d characters"
	validation.MsgExpectedString = "must be a text"
	validation.MsgExpectedBoolean = "must be true or false"
	validation.MsgExpectedInteger = "must be a whole number"
	validation.MsgExpectedNumber = "must be a number"
	validation.MsgExpectedArray = "must be a list"
	validation.MsgExpectedObject = "must be an object"
	validation.MsgExpectedRFC3339DateTime = "must be a time such as 2026-01-31T12:00:00Z"
}

// validationFailure turns what huma finds wrong with a request into our envelope. The values that were sent are not
// shown back: they may be secrets.
func validationFailure(ctx huma.Context, status int, msg string, errs ...error) huma.StatusError {
	id := ""
	if ctx != nil {
		id = requestOf(ctx.Context()).id
	}
	if status >= http.StatusInternalServerError {
		return internalFailure(id)
	}
	var faults []connectors.Fault
	for _, err := range errs {
		var d huma.ErrorDetailer
		if errors.As(err, &d) {
			faults = append(faults, fault(d.ErrorDetail()))
		}
	}
	if len(faults) == 0 {
		return newFailure(connectors.Errorf(connectors.InvalidRequest, "%s", msg), id)
	}
	return newFailure(connectors.AsError(connectors.InvalidFields(tidy(faults)...)), id)
}

// fault names a field as the caller does: without the place where it was found.
func fault(d *huma.ErrorDetail) connectors.Fault {
	place, field, _ := strings.Cut(d.Location, ".")
	name, missing := strings.CutPrefix(d.Message, missingMark)
	switch {
	case missing && field == "":
		return connectors.Fault{Field: name, Message: "is required"}
	case missing:
		return connectors.Fault{Field: clip(field + "." + name), Message: "is required"}
	case field == "":
		return connectors.Fault{Field: place, Message: "does not have the form that this route takes"}
	}
	return connectors.Fault{Field: clip(field), Message: d.Message}
}

// tidy sorts faults, which huma finds in random order, and bounds them.
func tidy(faults []connectors.Fault) []connectors.Fault {
	slices.SortStableFunc(faults, func(a, b connectors.Fault) int { return strings.Compare(a.Field, b.Field) })
	faults = slices.Compact(faults)
	if more := len(faults) - maxFaults; more > 0 {
		faults = append(faults[:maxFaults], connectors.Fault{Field: "…", Message: fmt.Sprintf("and %d more", more)})
	}
	return faults
}

// checkQuery refuses parameters that the route does not have or that are there twice: a misspelt filter must not
// list everything.
func (a *api) checkQuery(ctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(ctx)
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err == nil {
		err = queryFaults(query, ctx.Operation())
	} else {
		err = connectors.Errorf(connectors.InvalidRequest, "the query string is malformed: percent-encode its values")
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	// huma reads the raw query by itself, and a parameter without = would hide the one after it.
	r.URL.RawQuery = query.Encode()
	next(ctx)
}

func queryFaults(query url.Values, op *huma.Operation) error {
	known := []string{"workspaceId"}
	for _, p := range op.Parameters {
		if p.In == "query" && !slices.Contains(known, p.Name) {
			known = append(known, p.Name)
		}
	}
	var faults []connectors.Fault
	for name, values := range query {
		switch {
		case !slices.Contains(known, name):
			faults = append(faults, connectors.Fault{Field: clip(strings.ToValidUTF8(name, "?")), Message: "unknown parameter; known are " + strings.Join(known, ", ")})
		case len(values) > 1:
			faults = append(faults, connectors.Fault{Field: name, Message: "is given twice"})
		case !utf8.ValidString(values[0]):
			faults = append(faults, connectors.Fault{Field: name, Message: "is not valid UTF-8"})
		}
	}
	return connectors.InvalidFields(tidy(faults)...)
}
