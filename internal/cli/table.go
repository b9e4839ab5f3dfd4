package cli

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/lipgloss"
	"github.com/mattn/go-runewidth"
	"github.com/muesli/termenv"
)

// gap is the space between two columns.
const gap = "  "

// minColumn is the width that a column keeps on a narrow terminal.
const minColumn = 6

// table lays rows out in columns, as wide as the terminal allows.
func (c *commandLine) table(v view) []byte {
	p := c.painter()
	rows := v.rows
	if v.head != nil {
		rows = append([][]string{v.head}, rows...)
	}
	cells, widths := measureCells(rows)
	fit(widths, c.io.Width)
	var b strings.Builder
	for i, row := range cells {
		paint := v.paint
		if i == 0 && v.head != nil {
			paint = func(p painter, _ int, text string) string { return p.head(text) }
		}
		for _, line := range layOut(row, widths, v.wrap) {
			writeRow(&b, p, line, widths, paint)
		}
	}
	return []byte(b.String())
}

// layOut returns the lines that a row takes: one, or with wrap as many as its last cell needs.
func layOut(row []string, widths []int, wrap bool) [][]string {
	last := len(row) - 1
	line := make([]string, len(row))
	for col, text := range row {
		line[col] = runewidth.Truncate(text, widths[col], "…")
	}
	if !wrap || runewidth.StringWidth(row[last]) <= widths[last] {
		return [][]string{line}
	}
	var lines [][]string
	for text := range strings.Lines(lipgloss.NewStyle().Width(widths[last]).Render(row[last])) {
		line[last] = strings.TrimRight(text, " \n")
		lines = append(lines, line)
		line = make([]string, len(row))
	}
	return lines
}

func writeRow(b *strings.Builder, p painter, row []string, widths []int, paint func(painter, int, string) string) {
	for len(row) > 1 && row[len(row)-1] == "" {
		row = row[:len(row)-1]
	}
	for col, text := range row {
		pad := ""
		if col < len(row)-1 {
			pad = strings.Repeat(" ", widths[col]-runewidth.StringWidth(text)) + gap
		}
		if paint != nil && text != "" {
			text = paint(p, col, text)
		}
		b.WriteString(text + pad)
	}
	b.WriteByte('\n')
}

// measureCells makes cells fit for one line and returns the width of each column.
func measureCells(rows [][]string) (cells [][]string, widths []int) {
	for _, row := range rows {
		line := make([]string, len(row))
		for col, text := range row {
			line[col] = safe(strings.Join(strings.Fields(text), " "))
			if col == len(widths) {
				widths = append(widths, 0)
			}
			widths[col] = max(widths[col], runewidth.StringWidth(line[col]))
		}
		cells = append(cells, line)
	}
	return cells, widths
}

// fit narrows the widest columns until all fit; a width of 0 is no bound. The first column names what a row is about,
// and half a name is of no use: it is left alone.
func fit(widths []int, width int) {
	if width <= 0 {
		return
	}
	total := len(gap) * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	for ; total > width; total-- {
		widest := len(widths) - 1
		for col := 1; col < len(widths); col++ {
			if widths[col] > widths[widest] {
				widest = col
			}
		}
		if widest <= 0 || widths[widest] <= minColumn {
			return
		}
		widths[widest]--
	}
}

// safe makes what comes from elsewhere harmless on a terminal: control characters and those that turn the direction
// of text become visible, broken UTF-8 is replaced.
func safe(s string) string {
	clean := utf8.ValidString(s) && !strings.ContainsFunc(s, hostile)
	if clean {
		return s
	}
	return strings.Map(func(r rune) rune {
		if hostile(r) {
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(s, string(utf8.RuneError)))
}

func hostile(r rune) bool {
	return unicode.IsControl(r) || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// painter colours texts in the Ocean Professional palette, or not at all.
type painter struct {
	renderer *lipgloss.Renderer
	dark     bool
}

// The palette, with a lighter shade of each colour for dark backgrounds.
var palette = map[string][2]lipgloss.Color{
	"primary": {"#2563EB", "#60A5FA"},
	"success": {"#047857", "#34D399"},
	"warning": {"#B45309", "#F59E0B"},
	"error":   {"#DC2626", "#F87171"},
	"muted":   {"#6B7280", "#9CA3AF"},
}

func (c *commandLine) painter() painter    { return c.painterFor(c.io.OutTTY) }
func (c *commandLine) errPainter() painter { return c.painterFor(c.io.ErrTTY) }

// painterFor returns a painter for a terminal, and one that does not paint for everything else. The terminal is not
// asked for its background, because not every terminal answers: COLORFGBG tells, or dark is assumed.
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
	fg, bg, ok := strings.Cut(c.io.environ("COLORFGBG"), ";")
	return painter{r, !ok || fg != "0" && bg != "15" && bg != "7"}
}

func (p painter) colour(name, s string) string {
	shade := palette[name][0]
	if p.dark {
		shade = palette[name][1]
	}
	return p.renderer.NewStyle().Foreground(shade).Render(s)
}

func (p painter) head(s string) string {
	shade := palette["primary"][0]
	if p.dark {
		shade = palette["primary"][1]
	}
	return p.renderer.NewStyle().Bold(true).Foreground(shade).Render(s)
}

func (p painter) good(s string) string  { return p.colour("success", s) }
func (p painter) warn(s string) string  { return p.colour("warning", s) }
func (p painter) bad(s string) string   { return p.colour("error", s) }
func (p painter) muted(s string) string { return p.colour("muted", s) }

// status colours the states of connections, connectors and checks.
func (p painter) status(s string) string {
	switch strings.TrimSpace(s) {
	case "connected", "ok":
		return p.good(s)
	case "reauthorize", "warn", "intent":
		return p.warn(s)
	case "error", "fail", "revoked":
		return p.bad(s)
	case "not_connected":
		return p.muted(s)
	}
	return s
}

// paintStatus colours one column by its state.
func paintStatus(column int) func(painter, int, string) string {
	return func(p painter, col int, text string) string {
		if col == column {
			return p.status(text)
		}
		return text
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
