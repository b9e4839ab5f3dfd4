// Package cli is the command line of ucf: cobra commands that fill the service's inputs from flags, and print its
// outputs as tables, TSV, JSON, NDJSON or YAML. It decides nothing that the service does not decide.
package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"golang.org/x/term"

	"github.com/unified-connector/ucf/connectors"
)

// version is stamped by the build; see [Version].
var version string

// IO is what a command reads and writes.
type IO struct {
	In       io.Reader
	Out, Err io.Writer
	Environ  []string

	InTTY, OutTTY, ErrTTY bool
	Width                 int // of the terminal, in cells; 0 when unknown
}

// Stdio returns the process's own input and output.
func Stdio() IO {
	s := IO{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Environ: os.Environ(),
		InTTY: term.IsTerminal(int(os.Stdin.Fd())), OutTTY: term.IsTerminal(int(os.Stdout.Fd())), ErrTTY: term.IsTerminal(int(os.Stderr.Fd())),
	}
	if s.OutTTY {
		s.Width, _, _ = term.GetSize(int(os.Stdout.Fd()))
	}
	return s
}

// Main runs one command and returns its exit code. The first interrupt ends the command cleanly, the second at once.
func Main(args []string, s IO) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	c := newCommandLine(s)
	root := c.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	err = errors.Join(err, c.close())
	if err == nil {
		return 0
	}
	return c.fail(ctx, err)
}

// Version returns the version of this binary: what the build stamped, else what Go knows of the module.
func Version() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "unknown"
	}
	return info.Main.Version
}

// usage returns an error about how a command was called.
func usage(format string, args ...any) error {
	return connectors.Errorf(connectors.InvalidRequest, format, args...)
}

// environ returns a variable of the environment that the command was given.
func (s IO) environ(name string) string {
	for _, kv := range s.Environ {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			return v
		}
	}
	return ""
}
