package cli

import (
	"context"
	"fmt"
)

// typed is a line that was read from the input.
type typed struct {
	text string
	err  error
}

// lines reads the input line by line in the background. A read from a terminal does not end by itself: one that nobody
// waits for any more is kept, and answers whoever asks next.
type lines struct {
	read    func() (string, error)
	pending chan typed
}

// next returns where the next line comes.
func (l *lines) next() <-chan typed {
	if l.pending == nil {
		ch := make(chan typed, 1)
		l.pending = ch
		go func() {
			text, err := l.read()
			ch <- typed{text, err}
		}()
	}
	return l.pending
}

// taken says that the line of next was received.
func (l *lines) taken() { l.pending = nil }

// line waits for the next line, or for the command to be interrupted.
func (c *commandLine) line(ctx context.Context, l *lines) (string, error) {
	select {
	case got := <-l.next():
		l.taken()
		return got.text, got.err
	case <-ctx.Done():
		fmt.Fprintln(c.io.Err)
		return "", ctx.Err()
	}
}
