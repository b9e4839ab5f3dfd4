package httpapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/unified-connector/ucf/internal/service"
)

const (
	eventType = "text/event-stream"
	// heartbeat is the longest silence of an event stream, so that nobody between takes it for dead.
	heartbeat = 15 * time.Second
)

// The names of events.
const (
	eventProgress = "progress" // the job changed
	eventDone     = "done"     // the job is over, and the stream with it
	eventError    = "error"    // the stream cannot go on
)

func (a *api) addJobEvents() {
	op := operation{method: http.MethodGet, tag: tagJobs, path: "/jobs/{id}/events", id: "watchJob", summary: "Watch a job"}
	op.details = "Server-Sent Events: `progress` with the job as it is now, and again whenever it changed; `done` with the job once it is over, and then the stream ends; " +
		"`error` with an Error where it cannot go on. A comment comes at least every 15 seconds. Any replica can be asked. A stream that ends without `done` is taken up by asking again; " +
		"a `Last-Event-ID` is not needed, because the first event tells the job as it is."
	o := a.operation(op, reflect.TypeFor[service.JobIn]())
	registry := a.huma.OpenAPI().Components.Schemas
	job := registry.Schema(reflect.TypeFor[service.JobOut](), true, "")
	o.Responses = map[string]*huma.Response{strconv.Itoa(http.StatusOK): {
		Description: "A stream of events, whose data is a " + job.Ref[len(schemaPrefix):],
		Content: map[string]*huma.MediaType{eventType: {
			Schema:  &huma.Schema{Type: huma.TypeString},
			Example: "id: 7\nevent: progress\ndata: {\"id\":\"job_06f0m2vw2rt4x8d3p9k1q5s7ha\",\"status\":\"running\",\"progress\":42}\n\n",
		}},
	}}
	huma.Register(a.huma, o, func(_ context.Context, in *service.JobIn) (*huma.StreamResponse, error) {
		return &huma.StreamResponse{Body: func(ctx huma.Context) {
			r, w := humago.Unwrap(ctx)
			a.jobEvents(w, r, *in)
		}}, nil
	})
}

// jobEvents answers with the events of a job. What goes wrong before the first one is answered as everywhere else.
func (a *api) jobEvents(w http.ResponseWriter, r *http.Request, in service.JobIn) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() {
		select {
		case <-a.drained:
			cancel()
		case <-ctx.Done():
		}
	}()
	s := eventStream{w: w, control: http.NewResponseController(w), timeout: a.writeTimeout, silence: a.heartbeat}
	for e, err := range a.Service.WatchJob(ctx, requestOf(ctx).tenant, in) {
		switch {
		case err == nil:
			err = s.job(e)
		case ctx.Err() != nil && s.begun: // nobody is there to be told, or the client is to go on elsewhere
		case s.begun:
			_ = s.event("", eventError, a.failure(ctx, err).Err)
		default:
			a.fail(w, r, err)
		}
		if err != nil {
			return
		}
	}
}

// eventStream writes Server-Sent Events.
type eventStream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration // of one write
	silence time.Duration // the longest
	begun   bool
	last    time.Time
}

// job tells of a job that changed, and now and then that it did not.
func (s *eventStream) job(e *service.JobEvent) error {
	switch {
	case e == nil:
		return s.beat()
	case e.Status.Final():
		return s.event(strconv.FormatInt(e.Revision, 10), eventDone, e.JobOut)
	}
	return s.event(strconv.FormatInt(e.Revision, 10), eventProgress, e.JobOut)
}

// event writes one event. JSON has no line ends, so its data is one line.
func (s *eventStream) event(id, name string, data any) error {
	text, err := encode(data)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if id != "" {
		fmt.Fprintf(&b, "id: %s\n", id)
	}
	fmt.Fprintf(&b, "event: %s\ndata: %s\n\n", name, bytes.TrimSpace(text))
	return s.write(b.Bytes())
}

// beat writes a comment where the stream was silent for long.
func (s *eventStream) beat() error {
	if time.Since(s.last) < s.silence {
		return nil
	}
	return s.write([]byte(": still here\n\n"))
}

func (s *eventStream) write(p []byte) error {
	if !s.begun {
		s.w.Header().Set("Content-Type", eventType)
		s.w.Header().Set("X-Accel-Buffering", "no") // nginx would keep events back
		s.w.WriteHeader(http.StatusOK)
		s.begun = true
	}
	s.last = time.Now()
	// The time that an answer may take is that of each event.
	if err := s.control.SetWriteDeadline(s.last.Add(s.timeout)); err != nil {
		return err
	}
	_, err := s.w.Write(p)
	return errors.Join(err, s.control.Flush())
}
