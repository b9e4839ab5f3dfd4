package httpapi

import (
	"context"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
)

// operation is a route as the OpenAPI document describes it. Everything else is read from the Go types.
type operation struct {
	method, path string
	id           string
	summary      string
	details      string
	tag          string
	asks         bool // whether a provider is asked, and its failures can be the answer
	outside      bool // belongs to no tenant
	accepts      bool // whether success says that the work is still to be done
	example      any  // of the body
}

// success is the status of a success.
func (op operation) success() int {
	if op.accepts {
		return http.StatusAccepted
	}
	return http.StatusOK
}

// answer is what huma writes. The body is encoded before its head is sent, so that what does not encode is a failure
// and not half an answer.
type answer struct {
	Status      int
	ContentType string `header:"Content-Type" hidden:"true"`
	RetryAfter  string `header:"Retry-After" hidden:"true"`
	Body        []byte
}

// bind makes a use case of the service a route.
func bind[In, Out any](a *api, op operation, call func(context.Context, domain.Tenant, In) (Out, error)) {
	schema := a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Answer[Out]](), true, "")
	o := a.operation(op, reflect.TypeFor[In]())
	o.DefaultStatus = op.success()
	o.Responses = map[string]*huma.Response{strconv.Itoa(op.success()): {
		Description: "Success",
		Content:     map[string]*huma.MediaType{jsonType: {Schema: schema}},
	}}
	huma.Register(a.huma, o, func(ctx context.Context, in *In) (*answer, error) {
		out, err := run(ctx, *in, call)
		if err != nil {
			return a.refusal(ctx, err), nil
		}
		body, err := encode(Answer[Out]{OK: true, Data: out})
		if err != nil {
			return a.refusal(ctx, connectors.Wrap(connectors.Internal, err, "the answer does not encode")), nil
		}
		return &answer{Status: op.success(), ContentType: jsonType, Body: body}, nil
	})
	if op.example != nil {
		a.body(op).Content[jsonType].Example = op.example
	}
}

// run calls the use case for the tenant of the request. A body that names another one is forbidden.
func run[In, Out any](ctx context.Context, in In, call func(context.Context, domain.Tenant, In) (Out, error)) (Out, error) {
	tenant := requestOf(ctx).tenant
	if named, ok := any(in).(interface{ Workspace() string }); ok {
		if err := sameTenant(tenant, named.Workspace()); err != nil {
			var none Out
			return none, err
		}
	}
	return call(ctx, tenant, in)
}

func (a *api) refusal(ctx context.Context, err error) *answer {
	f := a.failure(ctx, err)
	body, err := encode(f)
	if err != nil {
		a.Log.ErrorContext(ctx, "the details of an error do not encode", "request_id", f.Err.RequestID, "error", err)
		f.Err.Details = nil
		body, _ = encode(f)
	}
	return &answer{Status: f.state, ContentType: jsonType, RetryAfter: f.retryAfter(), Body: body}
}

// operation returns huma's description of a route whose input has the type in.
func (a *api) operation(op operation, in reflect.Type) huma.Operation {
	o := huma.Operation{
		Method: op.method, Path: a.path(op), OperationID: op.id, Summary: op.summary, Description: op.details,
		Tags: []string{op.tag}, Errors: failures(op),
		// The body is read, bounded and timed by readBody. A negative time makes huma lift the deadline: one that
		// passes while the service works would end its context.
		MaxBodyBytes: -1, BodyReadTimeout: -1,
	}
	if op.outside {
		a.router.outside[o.Path] = true
		return o
	}
	o.Parameters = headerRefs()
	o.Middlewares = huma.Middlewares{a.checkQuery}
	if _, ok := in.FieldByName("Body"); ok {
		o.Middlewares = append(o.Middlewares, a.readBody)
	}
	return o
}

func (a *api) path(op operation) string {
	if op.outside {
		return op.path
	}
	return a.Prefix + op.path
}

// body returns the body of a registered operation.
func (a *api) body(op operation) *huma.RequestBody {
	item := a.huma.OpenAPI().Paths[a.path(op)]
	if op.method == http.MethodPatch {
		return item.Patch.RequestBody
	}
	return item.Post.RequestBody
}

// failures lists the statuses that an operation can end with, beside 422 and 500, which huma adds.
func failures(op operation) []int {
	if op.outside {
		return []int{http.StatusForbidden, http.StatusServiceUnavailable}
	}
	list := []int{
		http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity,
		http.StatusFailedDependency, http.StatusNotImplemented, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
	}
	if op.method == http.MethodPost || op.method == http.MethodPatch {
		list = append(list, http.StatusRequestEntityTooLarge)
	}
	if op.asks {
		list = append(list, http.StatusTooManyRequests, http.StatusBadGateway)
	}
	return list
}
