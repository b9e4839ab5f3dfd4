package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/unified-connector/ucf/connectors"
)

// stream prints a listing page by page, so that memory does not grow with its length.
type stream[T any] struct {
	c    *commandLine
	out  *bufio.Writer
	view func([]T) view
	json func([]byte, *T) ([]byte, error)

	buf  []byte
	n    int // entries printed
	next connectors.Cursor
	gaps []connectors.Gap
}

func newStream[T any](c *commandLine, v func([]T) view, enc func([]byte, *T) ([]byte, error)) *stream[T] {
	return &stream[T]{c: c, out: bufio.NewWriterSize(c.io.Out, 64<<10), view: v, json: enc}
}

// encodeJSON appends an entry as JSON.
func encodeJSON[T any](b []byte, v *T) ([]byte, error) {
	enc, err := json.Marshal(v)
	return append(b, enc...), err
}

// page prints one page.
func (s *stream[T]) page(p connectors.Page[T]) error {
	s.next = p.Next
	s.gaps = append(s.gaps, p.Incomplete...)
	var err error
	switch s.c.format() {
	case formatNDJSON:
		err = s.lines(p.Items)
	case formatJSON:
		err = s.array(p.Items)
	case formatYAML:
		err = s.yaml(p.Items)
	default:
		err = s.rows(p.Items)
	}
	s.n += len(p.Items)
	s.c.progress(s.n)
	return err
}

func (s *stream[T]) lines(items []T) error {
	s.buf = s.buf[:0]
	for i := range items {
		var err error
		if s.buf, err = s.json(s.buf, &items[i]); err != nil {
			return err
		}
		s.buf = append(s.buf, '\n')
	}
	if err := writeTo(s.out, s.buf); err != nil {
		return err
	}
	return s.flush()
}

func (s *stream[T]) array(items []T) error {
	for i := range items {
		sep := ",\n"
		if s.n+i == 0 {
			sep = "{\n\"items\": [\n"
		}
		b, err := s.json([]byte(sep), &items[i])
		if err != nil {
			return err
		}
		if err := writeTo(s.out, b); err != nil {
			return err
		}
	}
	return nil
}

func (s *stream[T]) yaml(items []T) error {
	if s.n == 0 && len(items) > 0 {
		if err := writeTo(s.out, []byte("items:\n")); err != nil {
			return err
		}
	}
	if len(items) == 0 {
		return nil
	}
	b, err := toYAML(items)
	if err != nil {
		return err
	}
	return writeTo(s.out, b)
}

func (s *stream[T]) rows(items []T) error {
	if len(items) == 0 {
		return nil
	}
	v := s.view(items)
	if s.c.format() == formatTSV {
		return writeTo(s.out, tsv(v.rows))
	}
	if s.n > 0 {
		v.head = nil
	}
	if err := writeTo(s.out, s.c.table(v)); err != nil {
		return err
	}
	return s.flush()
}

// end writes what closes the listing, and tells people what is left.
func (s *stream[T]) end(listErr error) error {
	s.c.progressEnd()
	if listErr == nil {
		if err := s.footer(); err != nil {
			return err
		}
	}
	if err := s.flush(); err != nil {
		return err
	}
	switch {
	case listErr != nil && s.next != "" && s.n > 0:
		s.c.notef("%d were listed; go on with --cursor %s", s.n, s.next)
	case listErr != nil:
	case s.n == 0:
		s.c.note("nothing found")
	default:
		s.c.hintNext(s.next)
	}
	if listErr == nil && len(s.gaps) > 0 {
		return incomplete(s.gaps)
	}
	return listErr
}

// footer closes the document of the formats that are one.
func (s *stream[T]) footer() error {
	tail := map[string]any{"next": s.next}
	if len(s.gaps) > 0 {
		tail["incomplete"] = s.gaps
	}
	switch s.c.format() {
	case formatJSON:
		b, err := json.Marshal(tail)
		if err != nil {
			return err
		}
		head := "\n],\n"
		if s.n == 0 {
			head = "{\n\"items\": [],\n"
		}
		return writeTo(s.out, append(append([]byte(head), bytes.TrimPrefix(b, []byte("{"))...), '\n'))
	case formatYAML:
		b, err := toYAML(tail)
		if err != nil {
			return err
		}
		if s.n == 0 {
			b = append([]byte("items: []\n"), b...)
		}
		return writeTo(s.out, b)
	}
	return nil
}

func incomplete(gaps []connectors.Gap) error {
	msg := ""
	for _, g := range gaps {
		msg += fmt.Sprintf("; %s: %s", g.ContainerID, g.Reason)
	}
	return &connectors.Error{Code: connectors.Incomplete, Message: "not everything could be read" + msg, Details: map[string]any{"incomplete": gaps}}
}

func (s *stream[T]) flush() error {
	if err := s.out.Flush(); err != nil {
		return connectors.Wrap(connectors.Unavailable, err, "the output cannot be written: is the disk full, or the reader gone?")
	}
	return nil
}

// progress counts on a terminal while the data goes elsewhere.
func (c *commandLine) progress(n int) {
	if c.io.ErrTTY && !c.io.OutTTY && !c.flags.quiet {
		fmt.Fprintf(c.io.Err, "\r%d listed", n)
	}
}

func (c *commandLine) progressEnd() {
	if c.io.ErrTTY && !c.io.OutTTY && !c.flags.quiet {
		fmt.Fprint(c.io.Err, "\r\033[K")
	}
}
