package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"syscall"

	"github.com/unified-connector/ucf/connectors"
)

// stream prints a listing page by page, so that memory does not grow with its length.
type stream[T any] struct {
	c    *commandLine
	out  *bufio.Writer
	view func([]T) view
	json func([]byte, *T) ([]byte, error)

	buf     []byte
	n       int               // entries printed
	next    connectors.Cursor // what follows the entries printed
	gaps    []connectors.Gap
	columns []bool // of a table: those that are shown
	layout  layout // of a table
}

func newStream[T any](c *commandLine, v func([]T) view, enc func([]byte, *T) ([]byte, error)) *stream[T] {
	return &stream[T]{c: c, out: bufio.NewWriterSize(c.io.Out, 64<<10), view: v, json: enc}
}

// encodeJSON appends an entry as JSON.
func encodeJSON[T any](b []byte, v *T) ([]byte, error) {
	enc, err := json.Marshal(v)
	return append(b, enc...), err
}

// page prints one page, and only then counts it: whoever goes on from the cursor of a stream that failed sees what
// was not printed.
func (s *stream[T]) page(p connectors.Page[T]) error {
	if err := s.print(p.Items); err != nil {
		return err
	}
	if err := s.flush(); err != nil {
		return err
	}
	s.next = p.Next
	s.gaps = append(s.gaps, p.Incomplete...)
	s.n += len(p.Items)
	s.c.progress(s.n)
	return nil
}

func (s *stream[T]) print(items []T) error {
	if len(items) == 0 {
		return nil
	}
	switch s.c.format() {
	case formatNDJSON:
		return s.lines(items)
	case formatJSON:
		return s.array(items)
	case formatYAML:
		return s.yaml(items)
	}
	return s.rows(items)
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
	return s.c.writeJSON(s.out, s.buf)
}

func (s *stream[T]) array(items []T) error {
	s.buf = s.buf[:0]
	for i := range items {
		sep := ",\n"
		if s.n+i == 0 {
			sep = "{\n\"items\": [\n"
		}
		var err error
		if s.buf, err = s.json(append(s.buf, sep...), &items[i]); err != nil {
			return err
		}
	}
	return s.c.writeJSON(s.out, s.buf)
}

func (s *stream[T]) yaml(items []T) error {
	if s.n == 0 {
		if err := writeTo(s.out, []byte("items:\n")); err != nil {
			return err
		}
	}
	b, err := toYAML(items)
	if err != nil {
		return err
	}
	return writeTo(s.out, b)
}

// rows prints a page as text. The columns of a table are those of its first page: columns that are empty there are
// left out, and the others keep their widths.
func (s *stream[T]) rows(items []T) error {
	v := s.view(items)
	if s.c.format() == formatTSV {
		return writeTo(s.out, tsv(v.rows))
	}
	first := s.n == 0
	if first {
		s.columns = filled(v)
	}
	v = only(v, s.columns)
	if first {
		s.layout = newLayout(v, s.c.width())
	} else {
		v.head = nil
	}
	return writeTo(s.out, s.layout.render(v, s.c.painter()))
}

// filled tells which columns hold something; the first always counts.
func filled(v view) []bool {
	columns := make([]bool, len(v.head))
	for _, row := range v.rows {
		for col, cell := range row {
			columns[col] = columns[col] || col == 0 || cell != ""
		}
	}
	return columns
}

// only returns a view of some of the columns.
func only(v view, columns []bool) view {
	keep := func(row []string) []string {
		var out []string
		for col, cell := range row {
			if columns[col] {
				out = append(out, cell)
			}
		}
		return out
	}
	out := v
	out.head, out.rows = keep(v.head), nil
	for _, row := range v.rows {
		out.rows = append(out.rows, keep(row))
	}
	return out
}

// end writes what closes the listing, and tells people what is left.
func (s *stream[T]) end(listErr error) error {
	s.c.progressEnd()
	if listErr != nil {
		return s.goOn(listErr)
	}
	if err := s.footer(); err != nil {
		return err
	}
	if err := s.flush(); err != nil {
		return err
	}
	if s.n == 0 {
		s.c.note("nothing found")
	} else {
		s.c.hintNext(s.next, "--all lists everything, --limit more, ")
	}
	if len(s.gaps) > 0 {
		return incomplete(s.gaps)
	}
	return nil
}

// goOn adds to the error of a listing that broke off where it can be taken up again.
func (s *stream[T]) goOn(err error) error {
	if s.next == "" || errors.Is(err, syscall.EPIPE) {
		return err
	}
	e := *connectors.AsError(err)
	e.Details = withDetail(e.Details, "listed", s.n)
	e.Details["next"] = s.next
	if len(s.gaps) > 0 {
		e.Details["incomplete"] = s.gaps
		for _, g := range s.gaps {
			s.c.notef("not read before that: %s", nameOf(g))
		}
	}
	if !s.c.forPrograms() || errors.Is(err, context.Canceled) {
		s.c.notef("%d were listed; go on with --cursor %s", s.n, s.next)
	}
	return &e
}

func withDetail(details map[string]any, name string, value any) map[string]any {
	out := map[string]any{name: value}
	for k, v := range details {
		out[k] = v
	}
	return out
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
		return s.c.writeJSON(s.out, slices.Concat([]byte(head), bytes.TrimPrefix(b, []byte("{")), []byte("\n")))
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
		msg += "; " + nameOf(g)
	}
	return &connectors.Error{Code: connectors.Incomplete, Message: "not everything could be read" + msg, Details: map[string]any{"incomplete": gaps}}
}

func nameOf(g connectors.Gap) string {
	if g.ContainerID == "" {
		return g.Reason
	}
	return g.Reason + " (" + g.ContainerID + ")"
}

func (s *stream[T]) flush() error { return outputError(s.out.Flush()) }

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
