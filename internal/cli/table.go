package cli

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
)

// gap is the space between two columns.
const gap = "  "

// The least widths of columns on a narrow terminal: of one that is cut, of the flexible one before columns are left
// out for it, and of one that is wrapped.
const (
	minColumn = 6
	minFlex   = 16
	minWrap   = 20
)

// table lays rows out in columns, as wide as the terminal allows.
func (c *commandLine) table(v view) []byte {
	return newLayout(v, c.width()).render(v, c.painter())
}

// width returns how wide a table may be; 0 is no bound.
func (c *commandLine) width() int {
	if !c.io.OutTTY {
		return 0
	}
	return c.io.Width
}

// layout is the widths of the columns of a table. The pages of one listing share it.
type layout struct {
	widths []int
	wrap   bool // the last column is wrapped, not cut
}

// newLayout returns a layout for rows on a terminal of that many cells; 0 is no bound. Where they do not fit, the
// flexible column is cut; then columns are left out, the last first; and only then others are cut. The first column
// names what a row is about, and half a name is of no use: it is left alone.
func newLayout(v view, width int) layout {
	l := layout{widths: measure(v), wrap: v.wrap && width > 0}
	if width <= 0 || len(l.widths) < 2 {
		return l
	}
	if l.wrap {
		last := len(l.widths) - 1
		l.widths[last] = max(minWrap, l.widths[last]-(l.total()-width))
		return l
	}
	flex := max(v.flex, 1)
	for flex < len(l.widths) && len(l.widths) > max(v.keep, flex+1) && l.total()-l.widths[flex]+min(l.widths[flex], minFlex) > width {
		l.widths = l.widths[:len(l.widths)-1]
	}
	if flex < len(l.widths) {
		l.cut(flex, width)
	}
	for col := len(l.widths) - 1; col > 0; col-- {
		l.cut(col, width)
	}
	return l
}

// cut narrows a column as far as it has to be and may be.
func (l layout) cut(col, width int) {
	if over := l.total() - width; over > 0 {
		l.widths[col] = max(min(l.widths[col], minColumn), l.widths[col]-over)
	}
}

// measure returns the widths that the columns would like to have.
func measure(v view) []int {
	var widths []int
	for _, row := range withHead(v) {
		for col, cell := range row {
			if col == len(widths) {
				widths = append(widths, 0)
			}
			widths[col] = max(widths[col], cells(oneLine(cell)))
		}
	}
	return widths
}

func withHead(v view) [][]string {
	if v.head == nil {
		return v.rows
	}
	return append([][]string{v.head}, v.rows...)
}

// total returns the width of a line.
func (l layout) total() int {
	total := len(gap) * (len(l.widths) - 1)
	for _, w := range l.widths {
		total += w
	}
	return total
}

// render writes the head, if there is one, and the rows.
func (l layout) render(v view, p painter) []byte {
	var b strings.Builder
	for i, row := range withHead(v) {
		head := i == 0 && v.head != nil
		l.renderRow(&b, row, func(col int, text string) string {
			switch {
			case head:
				return p.head(text)
			case v.paint != nil:
				return p.colour(v.paint(col, row[col]), text)
			}
			return text
		})
	}
	return []byte(b.String())
}

func (l layout) renderRow(b *strings.Builder, row []string, paint func(col int, text string) string) {
	indent := 0
	for col, cell := range row[:min(len(row), len(l.widths))] {
		text, last := oneLine(cell), col == len(l.widths)-1
		if last && l.wrap {
			for i, line := range wrapped(text, l.widths[col]) {
				if i > 0 {
					b.WriteString("\n" + strings.Repeat(" ", indent))
				}
				b.WriteString(paint(col, line))
			}
			break
		}
		text = cutTo(text, l.widths[col])
		b.WriteString(paint(col, text))
		if !last {
			b.WriteString(strings.Repeat(" ", l.widths[col]-cells(text)) + gap)
		}
		indent += l.widths[col] + len(gap)
	}
	b.WriteByte('\n')
}

// cells returns how many cells a text may take. Terminals do not agree on joined emoji: some draw them as one, some one
// by one; the wider counts, so that no line is longer than the terminal.
func cells(s string) int {
	apart := 0
	for _, r := range s {
		apart += runewidth.RuneWidth(r)
	}
	return max(apart, runewidth.StringWidth(s))
}

// cutTo cuts a text to a number of cells.
func cutTo(s string, width int) string {
	out := s
	for w := width; cells(out) > width && w > 0; w-- {
		out = runewidth.Truncate(s, w, "…")
	}
	return out
}

// wrapped breaks a text between words. A word that is too long, such as a cursor, stays whole, so that it can be
// copied.
func wrapped(text string, width int) []string {
	lines := []string{""}
	for _, word := range strings.Fields(text) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case cells(*last)+1+cells(word) <= width:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
	}
	return lines
}

// oneLine makes foreign text harmless and gives it one line.
func oneLine(s string) string { return safe(strings.Join(strings.Fields(s), " ")) }

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
	return unicode.IsControl(r) || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200e || r == 0x200f || r == 0x061c
}
