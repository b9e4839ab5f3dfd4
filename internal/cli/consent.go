package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// await shows the address to open and waits for what comes back from it: through the listener, or pasted. It gives up
// when the flow can no longer be completed.
func (f *consent) await(ctx context.Context) (returned, error) {
	ctx, cancel := context.WithDeadlineCause(ctx, *f.begun.ExpiresAt, errLate)
	defer cancel()
	opened := f.invite(ctx)
	var pasted <-chan typed
	if f.options.noBrowser {
		f.promptReturn()
		pasted = f.lines.next()
	}
	tick := time.NewTicker(spinEvery)
	defer tick.Stop()
	for {
		f.spin()
		select {
		case got := <-f.server.returns():
			f.spun()
			return got, nil
		case line := <-pasted:
			got, more, err := f.paste(line)
			if err != nil || !more {
				return got, err
			}
			if pasted = nil; line.err == nil {
				pasted = f.lines.next()
			}
		case err := <-opened:
			f.spun()
			f.notOpened(err)
		case <-tick.C:
		case <-ctx.Done():
			f.spun()
			return returned{}, f.ended(ctx)
		}
	}
}

// errLate ends the wait for a consent that can no longer be completed.
var errLate = errors.New("the flow has expired")

// ended is what is said when the wait ends before the browser came back.
func (f *consent) ended(ctx context.Context) error {
	switch {
	case errors.Is(context.Cause(ctx), errLate):
		return f.late("nobody approved in time")
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return f.late(fmt.Sprintf("nobody approved within the --deadline of %s", f.c.flags.deadline))
	}
	return ctx.Err()
}

// late is what is said of a browser that did not come back.
func (f *consent) late(what string) error {
	return connectors.Errorf(connectors.Timeout,
		"%s: the browser did not come back from %s; `%s` asks again, and --no-browser helps where the browser is on another machine", what, f.provider.Name, f.again())
}

// invite prints the address to open, and opens it where that is wanted. The channel tells that it could not be.
func (f *consent) invite(ctx context.Context) <-chan error {
	c := f.c
	if f.options.noBrowser {
		c.say("", fmt.Sprintf("Open this address in a browser and approve the access to your %s account:", f.provider.Name))
	} else {
		c.say("", fmt.Sprintf("Opening your browser for the consent at %s. Should it not open, this is the address:", f.provider.Name))
	}
	fmt.Fprintf(c.io.Err, "\n  %s\n\n", safe(f.begun.AuthURL))
	if f.options.noBrowser {
		return nil
	}
	if !c.spins() {
		c.notef("waiting for the consent until %s", f.begun.ExpiresAt.Local().Format("15:04"))
	}
	failed := make(chan error, 1)
	if c.io.Browse == nil {
		failed <- errors.New("there is none")
		return failed
	}
	go func() {
		// A browser outlives the wait for it: it is to show how that ended.
		if err := c.io.Browse(context.WithoutCancel(ctx), f.begun.AuthURL); err != nil {
			failed <- err
		}
	}()
	return failed
}

func (f *consent) notOpened(err error) {
	f.c.say("", fmt.Sprintf("the browser was not opened: %s. Open the address above, or where the browser is on another machine start again with --no-browser", oneLine(err.Error())))
}

// promptReturn asks for the address that the browser ended at.
func (f *consent) promptReturn() {
	c := f.c
	if !c.asks() {
		return
	}
	c.say("", fmt.Sprintf("Afterwards the browser ends at an address that begins with %s, which it may not be able to open. Copy that address whole and paste it here.", callbackAddress(c.app.Config.OAuthPort)))
	fmt.Fprintf(c.io.Err, "%s: ", c.errPainter().head("Address"))
}

// paste reads what was pasted. Where it is not what was asked for, a terminal is asked again; elsewhere that is the end,
// unless the browser may still come by itself.
func (f *consent) paste(line typed) (got returned, more bool, err error) {
	c := f.c
	f.lines.taken()
	fault := ""
	if line.err == nil {
		if got, fault = readPasted(line.text, f.begun.AuthURL, f.begun.State); fault == "" {
			return got, false, nil
		}
	}
	switch {
	case line.err != nil && f.server != nil && !c.asks():
		return got, true, nil
	case line.err != nil:
		return got, false, usage("nothing was pasted: give the address that the browser ended at, on standard input or at the prompt")
	case !c.asks():
		return got, false, usage("what was pasted cannot be used: %s", fault)
	}
	p := c.errPainter()
	fmt.Fprintf(c.io.Err, "%s %s\n%s: ", p.colour(badColour, "Address"), fault, p.head("Address"))
	return got, true, nil
}

// readPasted reads an address that a browser ended at, or the bare code of one.
func readPasted(text, opened, state string) (r returned, fault string) {
	text = strings.Trim(strings.TrimSpace(text), `"'<>`)
	switch {
	case text == "":
		return r, "is empty"
	case text == opened:
		return r, "is the one to open: approve there, and paste the address at which the browser ends"
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		return r, "must be one address, without spaces"
	}
	_, query, whole := strings.Cut(text, "?")
	if !whole {
		query = text
		if !strings.Contains(text, "state=") && !strings.Contains(text, "://") {
			return returned{code: text}, ""
		}
	}
	query, _, _ = strings.Cut(query, "#")
	q, err := url.ParseQuery(query)
	if err != nil {
		return r, "is not a whole address"
	}
	if r, fault = readReturn(q, state); fault != "" {
		return r, "is not what the address above leads to: " + fault
	}
	return r, ""
}

// spinEvery is how often the line that waits moves.
const spinEvery = 125 * time.Millisecond

var spinner = []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")

// spins reports whether a line may move while something is waited for.
func (c *commandLine) spins() bool {
	return c.io.ErrTTY && !c.flags.quiet && c.io.environ("TERM") != "dumb"
}

// spin shows on a terminal that the browser is waited for, and for how long.
func (f *consent) spin() {
	c := f.c
	if !c.spins() || f.options.noBrowser {
		return
	}
	left := max(0, time.Until(*f.begun.ExpiresAt)).Round(time.Second)
	text := fmt.Sprintf("waiting for your consent, %d:%02d left; Ctrl-C stops", int(left.Minutes()), int(left.Seconds())%60)
	if c.io.Width > 0 {
		text = cutTo(text, max(minColumn, c.io.Width-5))
	}
	frame := spinner[time.Now().UnixMilli()/spinEvery.Milliseconds()%int64(len(spinner))]
	fmt.Fprintf(c.io.Err, "\r\033[K%s %s", c.errPainter().colour(headColour, string(frame)), text)
}

// spun removes the line that waits.
func (f *consent) spun() {
	switch {
	case f.options.noBrowser && f.c.asks():
		fmt.Fprintln(f.c.io.Err)
	case f.c.spins() && !f.options.noBrowser:
		fmt.Fprint(f.c.io.Err, "\r\033[K")
	}
}
