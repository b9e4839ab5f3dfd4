package connectors

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// source hands out numbered pages of one entry, and counts how many were asked for.
type source struct {
	pages int
	fails int // the page that fails, 0 for none
	asked atomic.Int64
	busy  atomic.Int64  // requests that have not returned
	hold  chan struct{} // closed when the page after the first may be answered; nil for at once
}

var errBroken = Errorf(ProviderError, "broken")

func (s *source) get(ctx context.Context, cur Cursor) (Page[int], error) {
	s.asked.Add(1)
	s.busy.Add(1)
	defer s.busy.Add(-1)
	n, _ := strconv.Atoi(string(cur))
	n++
	if n == s.fails {
		return Page[int]{}, errBroken
	}
	if n > 1 && s.hold != nil {
		select {
		case <-s.hold:
		case <-ctx.Done():
			return Page[int]{}, stamp("x.items", ctx.Err())
		}
	}
	p := Page[int]{Items: []int{n}}
	if n < s.pages {
		p.Next = Cursor(strconv.Itoa(n))
	}
	return p, nil
}

// drain ranges to the end and returns the entries and the error in the last place.
func drain(t *testing.T, seq func(func(Page[int], error) bool)) (got []int, err error) {
	t.Helper()
	for page, e := range seq {
		if err != nil {
			t.Errorf("a page after the error %v", err)
		}
		got, err = append(got, page.Items...), e
	}
	return got, err
}

func TestPagesToTheEnd(t *testing.T) {
	defer goleak.VerifyNone(t)
	s := &source{pages: 50}
	seq := pages(t.Context(), "x.items", "", s.get)
	for range 2 { // a sequence may be ranged over again
		got, err := drain(t, seq)
		if err != nil || len(got) != 50 || got[0] != 1 || got[49] != 50 {
			t.Errorf("got %v and error %v", got, err)
		}
	}
	if n := s.asked.Load(); n != 100 {
		t.Errorf("asked for %d pages, want 100", n)
	}
	got, err := drain(t, pages(t.Context(), "x.items", "47", s.get))
	if err != nil || len(got) != 3 || got[0] != 48 {
		t.Errorf("from page 48 on: got %v and error %v", got, err)
	}
}

func TestPagesStopAtAnError(t *testing.T) {
	defer goleak.VerifyNone(t)
	for _, fails := range []int{1, 2, 7} {
		s := &source{pages: 50, fails: fails}
		got, err := drain(t, pages(t.Context(), "x.items", "", s.get))
		if !errors.Is(err, errBroken) || len(got) != fails-1 || s.asked.Load() != int64(fails) {
			t.Errorf("page %d fails: got %v, error %v, after %d requests", fails, got, err, s.asked.Load())
		}
	}
}

func TestPagesLeaveNothingBehind(t *testing.T) {
	for name, hold := range map[string]chan struct{}{"at once": nil, "while the next page is being fetched": make(chan struct{})} {
		t.Run(name, func(t *testing.T) {
			defer goleak.VerifyNone(t)
			s := &source{pages: 50, hold: hold}
			for page, err := range pages(t.Context(), "x.items", "", s.get) {
				if err != nil || page.Items[0] != 1 {
					t.Errorf("got %v and error %v", page, err)
				}
				for hold != nil && s.asked.Load() < 2 {
					runtime.Gosched()
				}
				break
			}
			if n := s.busy.Load(); n != 0 {
				t.Errorf("%d requests still run after the loop", n)
			}
			if n := s.asked.Load(); n > 2 {
				t.Errorf("asked for %d pages, want at most 2", n)
			}
		})
	}
	t.Run("when the caller panics", func(t *testing.T) {
		defer goleak.VerifyNone(t)
		defer func() { _ = recover() }()
		for range pages(t.Context(), "x.items", "", (&source{pages: 9}).get) {
			panic("the caller's own")
		}
	})
}

func TestPagesCancelled(t *testing.T) {
	defer goleak.VerifyNone(t)
	for name, tt := range map[string]struct {
		make func(context.Context) (context.Context, context.CancelFunc)
		code Code
		is   error
	}{
		"cancelled": {context.WithCancel, Unavailable, context.Canceled},
		"deadline": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Millisecond)
		}, Timeout, context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			for range 50 { // whether the fetcher or the caller notices first is a matter of luck
				ctx, cancel := tt.make(t.Context())
				s := &source{pages: 50, hold: make(chan struct{})}
				var last error
				for _, err := range pages(ctx, "x.items", "", s.get) {
					if last = err; err == nil && tt.code == Unavailable {
						cancel()
					}
				}
				cancel()
				var e *Error
				if !errors.As(last, &e) || e.Code != tt.code || e.Op != "x.items" || !errors.Is(last, tt.is) {
					t.Fatalf("got %#v, want %s of x.items", last, tt.code)
				}
			}
		})
	}
}

func TestPagesCancelledAfterTheEnd(t *testing.T) {
	defer goleak.VerifyNone(t)
	for range 50 {
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		for page, err := range pages(ctx, "x.items", "", (&source{pages: 3}).get) {
			if n++; err != nil {
				t.Fatalf("after the last page: %v", err)
			}
			if page.Next == "" {
				cancel()
			}
		}
		cancel()
		if n != 3 {
			t.Fatalf("got %d pages", n)
		}
	}
}

// TestPagesFetchOneAhead works on each page until the next one was asked for, and looks for more.
func TestPagesFetchOneAhead(t *testing.T) {
	defer goleak.VerifyNone(t)
	asked := make(chan int, 100)
	s := &source{pages: 20}
	get := func(ctx context.Context, cur Cursor) (Page[int], error) {
		p, err := s.get(ctx, cur)
		asked <- p.Items[0]
		return p, err
	}
	ahead := 0
	for page := range pages(t.Context(), "x.items", "", get) {
		working := page.Items[0]
		for ahead < min(working+1, s.pages) { // the next page comes while this one is worked on
			ahead = <-asked
		}
		if n := s.asked.Load(); n > int64(working+1) {
			t.Errorf("working on page %d, %d were asked for", working, n)
		}
	}
}
