package atlassian

import "strings"

// maxColumns bounds how wide a cell or a table may claim to be.
const maxColumns = 1000

// table writes a table. Its first row is the header where it consists of header cells, else the header is empty. A
// cell that spans rows or columns is followed by empty ones.
func (p *printer) table(n *node) {
	var rows [][]string
	header, cut := false, false
	grid := &grid{}
	for _, row := range n.content {
		if row.kind != "tableRow" || p.full() {
			continue
		}
		if len(rows) == 0 {
			header = isHeader(row)
		}
		rows = append(rows, grid.row(row, p))
		if cut = cut || grid.size > p.limit; cut {
			break
		}
	}
	p.rows(rows, header, grid.width)
	p.cut = p.cut || cut
}

func (p *printer) rows(rows [][]string, header bool, width int) {
	if len(rows) == 0 {
		return
	}
	if p.cell {
		for _, r := range rows {
			p.line(strings.Join(r, " / "))
		}
		return
	}
	if !header {
		rows = append([][]string{{}}, rows...)
	}
	for i, r := range rows {
		p.row(r, width)
		if i == 0 {
			p.line("|" + strings.Repeat(" --- |", width))
		}
	}
}

func isHeader(row *node) bool {
	for _, c := range row.content {
		if c.kind != "tableHeader" {
			return false
		}
	}
	return len(row.content) > 0
}

func (p *printer) row(cells []string, width int) {
	var b strings.Builder
	b.WriteByte('|')
	for i := range width {
		if i < len(cells) && cells[i] != "" {
			b.WriteString(" " + cells[i])
		}
		b.WriteString(" |")
	}
	p.line(b.String())
}

// grid places cells in columns.
type grid struct {
	width int
	size  int             // of all cells, in bytes of Markdown
	held  [maxColumns]int // rows for which a cell from above still holds the column
}

func (g *grid) row(row *node, p *printer) []string {
	var cells []string
	next := func() bool { // moves on to the next free column
		for len(cells) < maxColumns && g.held[len(cells)] > 0 {
			g.held[len(cells)]--
			g.size += len(" |")
			cells = append(cells, "")
		}
		return len(cells) < maxColumns
	}
	for _, c := range row.content {
		if !next() {
			g.size = p.limit + 1
			break
		}
		text := g.cell(c, p)
		rows := c.number("rowspan", 1, 1000)
		for i := range c.number("colspan", 1, maxColumns) {
			if len(cells) == maxColumns {
				break
			}
			g.held[len(cells)] = rows - 1
			if i > 0 {
				text = ""
			}
			cells = append(cells, text)
			g.size += len(text) + len(" |")
		}
	}
	next()
	g.width = max(g.width, len(cells))
	return cells
}

// cell returns the content of a cell on one line.
func (g *grid) cell(n *node, p *printer) string {
	in := &printer{cell: true, limit: max(p.limit-p.out.Len(), 0)}
	in.blocks(n.content, true)
	if in.full() {
		g.size = p.limit + 1
	}
	var lines []string
	for line := range strings.SplitSeq(in.out.String(), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	s := strings.Join(lines, "<br>")
	if p.cell {
		return s
	}
	return strings.ReplaceAll(s, "|", `\|`)
}
