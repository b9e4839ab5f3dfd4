package connectors

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
)

func TestCodeOf(t *testing.T) {
	coded := Errorf(NotFound, "gone")
	for name, tt := range map[string]struct {
		err  error
		want Code
	}{
		"nil":           {nil, ""},
		"coded":         {coded, NotFound},
		"wrapped":       {fmt.Errorf("more: %w", coded), NotFound},
		"joined":        {errors.Join(io.EOF, coded), NotFound},
		"outermost":     {Wrap(Conflict, coded, "taken"), Conflict},
		"over deadline": {Wrap(ProviderError, context.DeadlineExceeded, "late"), ProviderError},
		"deadline":      {fmt.Errorf("x: %w", context.DeadlineExceeded), Timeout},
		"cancelled":     {fmt.Errorf("x: %w", context.Canceled), Unavailable},
		"uncoded":       {io.EOF, Internal},
	} {
		if got := CodeOf(tt.err); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

func TestAsError(t *testing.T) {
	coded := Errorf(RateLimited, "slow down")
	if got := AsError(fmt.Errorf("x: %w", coded)); got != coded {
		t.Errorf("got %v, want the same error", got)
	}
	for _, cause := range []error{errors.New("password=hunter2"), fmt.Errorf("hunter2: %w", context.Canceled), fmt.Errorf("hunter2: %w", context.DeadlineExceeded)} {
		e := AsError(cause)
		if e.Message == "" || strings.Contains(e.Error(), "hunter2") || !errors.Is(e, cause) || e.Code != CodeOf(cause) {
			t.Errorf("%v: got %#v", cause, e)
		}
	}
}

func TestErrorText(t *testing.T) {
	e := Wrap(ProviderError, errors.New("cause"), "it %s", "broke")
	if e.Error() != "it broke" || e.Unwrap().Error() != "cause" {
		t.Errorf("got %q", e.Error())
	}
	e.Op = "jira.items"
	if e.Error() != "jira.items: it broke" {
		t.Errorf("got %q", e.Error())
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "err", e)
	for _, want := range []string{"err.code=provider_error", "err.op=jira.items", `err.message="it broke"`, "err.cause=cause"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log %s has no %s", &log, want)
		}
	}
	if e := Errorf(NotFound, "no %w", io.EOF); !errors.Is(e, io.EOF) || e.Message != "no EOF" {
		t.Errorf("got %#v", e)
	}
}

func TestInvalidFields(t *testing.T) {
	if err := InvalidFields(); err != nil {
		t.Errorf("without faults: got %v", err)
	}
	err := InvalidFields(Fault{"a", "is bad"}, Fault{"b", "is worse"})
	if CodeOf(err) != InvalidRequest || err.Error() != "a: is bad; b: is worse" {
		t.Errorf("got %v", err)
	}
}

func TestStamp(t *testing.T) {
	shared := Errorf(NotFound, "gone")
	first := stamp("a.b", shared)
	if first.Error() != "a.b: gone" || shared.Op != "" {
		t.Errorf("got %v, and the driver's own error reads %v", first, shared)
	}
	if again := stamp("c.d", first); again.Error() != "a.b: gone" {
		t.Errorf("stamped twice: got %v", again)
	}
}

func TestCodesHaveMeanings(t *testing.T) {
	seen := map[Code]bool{}
	for _, c := range Codes() {
		if c.Meaning() == "" || c.Advice() == "" || seen[c] {
			t.Errorf("%s has no meaning or no advice, or is there twice", c)
		}
		seen[c] = true
	}
	if len(meanings) != len(Codes()) {
		t.Errorf("%d meanings for %d codes", len(meanings), len(Codes()))
	}
}
