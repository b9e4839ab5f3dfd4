package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/unified-connector/ucf/connectors"
)

// LineFile is a file of lines that is touched when the first ones are written, so that what fails before leaves what is
// there.
type LineFile struct {
	path       string
	over, adds bool
	f          *os.File
}

// NewLineFile returns the file at path, which must not be there: unless it is written over, or added to.
func NewLineFile(path string, over, adds bool) (*LineFile, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, unwritable(path, err)
	case info.IsDir():
		return nil, connectors.Errorf(connectors.InvalidRequest, "%s is a folder: name a file in it", path)
	case !over && !adds:
		return nil, isThere(path)
	}
	return &LineFile{path: path, over: over, adds: adds}, nil
}

func isThere(path string) error {
	return connectors.Errorf(connectors.Conflict, "%s is there already: choose another file, --force writes over it, --state FILE adds to it", path)
}

func unwritable(path string, err error) error {
	return connectors.Wrap(connectors.InvalidRequest, err, "%s cannot be written: %s", path, err)
}

// Write implements [io.Writer].
func (l *LineFile) Write(p []byte) (int, error) {
	if err := l.open(); err != nil {
		return 0, err
	}
	return l.f.Write(p)
}

func (l *LineFile) open() error {
	if l.f != nil {
		return nil
	}
	mode := os.O_CREATE | os.O_RDWR
	switch {
	case l.over:
		mode |= os.O_TRUNC
	case l.adds:
		mode |= os.O_APPEND
	default:
		mode |= os.O_EXCL
	}
	f, err := os.OpenFile(l.path, mode, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return isThere(l.path)
	}
	if err == nil && l.adds && !l.over {
		if err = mend(f); err != nil {
			err = errors.Join(err, f.Close())
		}
	}
	if err != nil {
		return unwritable(l.path, err)
	}
	l.f = f
	return nil
}

// Sync makes what was written durable, where it can be. A file that nothing was written to is made.
func (l *LineFile) Sync() error {
	if err := l.open(); err != nil {
		return err
	}
	if info, err := l.f.Stat(); err != nil || !info.Mode().IsRegular() {
		return err
	}
	return l.f.Sync()
}

// Close closes the file, if it was touched.
func (l *LineFile) Close() error {
	if l.f == nil {
		return nil
	}
	return l.f.Close()
}

// mend has a file end at a line's end: a line that a process which died left in the middle is cut off.
func mend(f *os.File) error {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return err
	}
	last, at, err := lastLine(f, info.Size())
	switch {
	case err != nil || len(last) == 0:
		return err
	case json.Valid(last): // whole, but for its end
		_, err = f.Write([]byte("\n"))
		return err
	}
	return f.Truncate(at)
}

// lastLine returns what is behind the last line end of a file of that size, and where that begins.
func lastLine(f io.ReaderAt, size int64) (line []byte, at int64, err error) {
	const step = 64 << 10
	for at = size; at > 0; {
		from := max(at-step, 0)
		part := make([]byte, at-from)
		if _, err := f.ReadAt(part, from); err != nil && !errors.Is(err, io.EOF) {
			return nil, 0, err
		}
		if i := bytes.LastIndexByte(part, '\n'); i >= 0 {
			return append(part[i+1:], line...), from + int64(i) + 1, nil
		}
		line, at = append(part, line...), from
	}
	return line, 0, nil
}
