// Package cli is the command line of ucf: cobra commands that fill the service's inputs from flags, and print its
// outputs as tables, TSV, JSON, NDJSON or YAML. It decides nothing that the service does not decide.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
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

	// Browse opens an address in the operator's browser, until ctx ends; nil where there is none.
	Browse func(ctx context.Context, address string) error
}

// Stdio returns the process's own input and output.
func Stdio() IO {
	s := IO{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Environ: os.Environ(),
		InTTY: term.IsTerminal(int(os.Stdin.Fd())), OutTTY: term.IsTerminal(int(os.Stdout.Fd())), ErrTTY: term.IsTerminal(int(os.Stderr.Fd())),
	}
	switch {
	case s.OutTTY:
		s.Width, _, _ = term.GetSize(int(os.Stdout.Fd()))
	case s.ErrTTY:
		s.Width, _, _ = term.GetSize(int(os.Stderr.Fd()))
	}
	s.Browse = browserOf(s)
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
	err := errors.Join(c.run(ctx, root), c.close())
	if err == nil {
		return 0
	}
	if c.flags.output == "" {
		c.flags.output = outputArg(args)
	}
	return c.fail(ctx, err)
}

// execute is what a command tree does with a context.
type execute interface {
	ExecuteContext(ctx context.Context) error
}

// run executes a command. A panic is our own fault like any other: it is told without a stack, which --verbose shows.
func (c *commandLine) run(ctx context.Context, root execute) (err error) {
	defer func() {
		if v := recover(); v != nil {
			c.log().DebugContext(ctx, "panic", "stack", string(debug.Stack()))
			err = connectors.Wrap(connectors.Internal, fmt.Errorf("panic of type %T", v), "internal error")
		}
	}()
	return root.ExecuteContext(ctx)
}

// outputArg returns the output format that the arguments ask for: a fault in an earlier argument keeps it from being
// parsed, and must be told in the form that the caller reads.
func outputArg(args []string) string {
	for i, arg := range args {
		value, found := strings.CutPrefix(arg, "--output=")
		if short, ok := strings.CutPrefix(arg, "-o"); ok {
			value, found = strings.TrimPrefix(short, "="), true
		}
		if (arg == "--output" || arg == "-o") && i+1 < len(args) {
			value, found = args[i+1], true
		}
		if found && slices.Contains(formats, value) {
			return value
		}
	}
	return ""
}

// Version returns the version of this binary: what the build stamped, else what Go knows of the module, else the
// commit that it was built from.
func Version() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "unknown"
	}
	if info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "devel-" + s.Value[:min(12, len(s.Value))]
		}
	}
	return "devel"
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
