package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"
)

// colour is a colour of the Ocean Professional palette.
type colour int

// The colours; noColour leaves a text as it is.
const (
	noColour colour = iota
	headColour
	goodColour
	warnColour
	badColour
	mutedColour
)

// ground is what is known of a terminal's background.
type ground int

const (
	unknownGround ground = iota
	lightGround
	darkGround
)

// palette has the shades of each colour, by ground. Those for an unknown ground can be read on white and on black.
var palette = map[colour][3]lipgloss.Color{
	headColour:  {"#3B82F6", "#2563EB", "#60A5FA"},
	goodColour:  {"#059669", "#047857", "#34D399"},
	warnColour:  {"#D97706", "#B45309", "#F59E0B"},
	badColour:   {"#EF4444", "#DC2626", "#F87171"},
	mutedColour: {"#808080", "#6B7280", "#9CA3AF"},
}

// painter colours texts, or not at all.
type painter struct {
	renderer *lipgloss.Renderer
	ground   ground
}

func (c *commandLine) painter() painter    { return c.painterFor(c.io.OutTTY) }
func (c *commandLine) errPainter() painter { return c.painterFor(c.io.ErrTTY) }

// painterFor returns a painter for a terminal, and one that does not paint for everything else. The terminal is not
// asked for its background: not every terminal answers, and the answer may end up in what the operator types.
func (c *commandLine) painterFor(tty bool) painter {
	profile := termenv.Ascii
	if tty && !c.flags.noColor && c.io.environ("NO_COLOR") == "" && c.io.environ("TERM") != "dumb" {
		profile = termenv.ANSI256
		if ct := c.io.environ("COLORTERM"); ct == "truecolor" || ct == "24bit" {
			profile = termenv.TrueColor
		}
	}
	r := lipgloss.NewRenderer(nil, termenv.WithProfile(profile))
	r.SetColorProfile(profile)
	return painter{r, groundOf(c.io.environ("COLORFGBG"))}
}

// groundOf reads COLORFGBG, "foreground;background" in ANSI colours, which some terminals set.
func groundOf(colorfgbg string) ground {
	_, bg, ok := strings.Cut(colorfgbg, ";")
	if i := strings.LastIndexByte(bg, ';'); i >= 0 {
		bg = bg[i+1:]
	}
	switch {
	case !ok || bg == "" || bg == "default":
		return unknownGround
	case bg == "7" || len(bg) == 2 && bg >= "10" || bg == "9":
		return lightGround
	}
	return darkGround
}

func (p painter) colour(c colour, s string) string {
	if c == noColour || s == "" {
		return s
	}
	return p.renderer.NewStyle().Foreground(palette[c][p.ground]).Render(s)
}

func (p painter) head(s string) string {
	return p.renderer.NewStyle().Bold(true).Foreground(palette[headColour][p.ground]).Render(s)
}

// gradient colours the cells of a text from the palette's primary to its info, as far as it comes of so many cells.
func (p painter) gradient(s string, of int) string {
	if p.renderer.ColorProfile() == termenv.Ascii {
		return s
	}
	var b strings.Builder
	i := 0
	for _, r := range s {
		at := i * 255 / max(of-1, 1)
		mix := func(from, to int) int { return from + (to-from)*at/255 }
		hex := fmt.Sprintf("#%02X%02X%02X", mix(0x25, 0x0E), mix(0x63, 0xA5), mix(0xEB, 0xE9))
		b.WriteString(p.renderer.NewStyle().Foreground(lipgloss.Color(hex)).Render(string(r)))
		i++
	}
	return b.String()
}

// statusColour returns the colour of the state of a connection, a connector, a job or a check, or of an outcome.
func statusColour(status string) colour {
	switch status {
	case "connected", "ok", "succeeded":
		return goodColour
	case "running":
		return headColour
	case "reauthorize", "warn", "intent":
		return warnColour
	case "not_connected", "revoked", "queued", "canceled":
		return mutedColour
	}
	return badColour
}

// paintStatus colours one column by its state.
func paintStatus(column int) func(int, string) colour {
	return func(col int, cell string) colour {
		if col == column && cell != "" {
			return statusColour(cell)
		}
		return noColour
	}
}

// when writes a time: short for people, RFC 3339 for everything else.
func (c *commandLine) when(t *time.Time) string {
	switch {
	case t == nil:
		return ""
	case c.format() == formatTable:
		return t.Local().Format("2006-01-02 15:04")
	}
	return t.UTC().Format(time.RFC3339)
}
