package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/unified-connector/ucf/connectors"
)

// The output formats. Without --output a terminal gets tables, and everything else text separated by tabs.
const (
	formatTable  = "table"
	formatTSV    = "tsv"
	formatJSON   = "json"
	formatYAML   = "yaml"
	formatNDJSON = "ndjson"
)

var formats = []string{formatTable, formatJSON, formatYAML, formatNDJSON}

func checkFormat(f string) error {
	if f == "" || slices.Contains(formats, f) {
		return nil
	}
	return usage("--output must be one of %s, not %q", strings.Join(formats, ", "), clip(f))
}

// format returns the output format that is in force.
func (c *commandLine) format() string {
	switch {
	case c.flags.output != "":
		return c.flags.output
	case c.io.OutTTY:
		return formatTable
	}
	return formatTSV
}

// view is how a result is shown to people.
type view struct {
	head []string
	rows [][]string
	// empty is said instead of an empty table.
	empty string
	// paint returns the colour of a cell by its column; nil for none.
	paint func(col int, cell string) colour
	// wrap says that on a terminal the last column is wrapped, where that of a list is cut.
	wrap bool
	// flex is the column that is cut first on a narrow terminal, the second where it is 0; keep is how many columns
	// are shown however narrow it is.
	flex, keep int
}

// show prints a result: data for programs, v for people.
func (c *commandLine) show(data any, v view) error {
	switch c.format() {
	case formatJSON:
		b, err := json.MarshalIndent(data, "", "  ")
		if err != nil {
			return err
		}
		return c.writeJSON(c.io.Out, append(b, '\n'))
	case formatYAML:
		b, err := toYAML(data)
		if err != nil {
			return err
		}
		return c.write(b)
	case formatNDJSON:
		b, err := json.Marshal(data)
		if err != nil {
			return err
		}
		return c.writeJSON(c.io.Out, append(b, '\n'))
	}
	return c.showRows(v)
}

// showAll prints a whole list: for programs with ndjson one entry a line.
func showAll[T any](c *commandLine, list []T, v view) error {
	if c.format() == formatNDJSON {
		return showList(c, connectors.Page[T]{Items: list}, v)
	}
	return c.show(list, v)
}

// showList prints a list of which a program gets the whole page, and with ndjson one entry a line.
func showList[T any](c *commandLine, page connectors.Page[T], v view) error {
	if err := printList(c, page, v); err != nil {
		return err
	}
	c.hintNext(page.Next, "--limit lists more, ")
	return nil
}

func printList[T any](c *commandLine, page connectors.Page[T], v view) error {
	if c.format() != formatNDJSON {
		return c.show(page, v)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for _, it := range page.Items {
		if err := enc.Encode(it); err != nil {
			return err
		}
	}
	return c.writeJSON(c.io.Out, b.Bytes())
}

// hintNext tells how to see more, in the formats that have no room for a cursor.
func (c *commandLine) hintNext(next connectors.Cursor, how string) {
	switch f := c.format(); {
	case next == "" || f == formatJSON || f == formatYAML:
	case f == formatTable:
		c.notef("there is more: %s-o json has the cursor", how)
	default:
		c.notef("more: %s--cursor %s", how, next)
	}
}

func (c *commandLine) showRows(v view) error {
	if len(v.rows) == 0 && v.empty != "" {
		c.note(v.empty)
		return nil
	}
	if c.format() == formatTSV {
		return c.write(tsv(v.rows))
	}
	return c.write(c.table(v))
}

// write writes to standard output. A full disk is unavailable.
func (c *commandLine) write(b []byte) error { return writeTo(c.io.Out, b) }

func writeTo(w io.Writer, b []byte) error {
	_, err := w.Write(b)
	return outputError(err)
}

func outputError(err error) error {
	if err == nil {
		return nil
	}
	return connectors.Wrap(connectors.Unavailable, err, "the output cannot be written: is the disk full, or the reader gone?")
}

// writeJSON writes JSON. On a terminal the control characters that JSON may hold as they are get escaped, so that
// foreign text does not control it; to a program both say the same.
func (c *commandLine) writeJSON(w io.Writer, b []byte) error {
	if c.io.OutTTY {
		b = escapeControls(b)
	}
	return writeTo(w, b)
}

// escapeControls escapes DEL and the C1 control characters, which in JSON stand in strings only.
func escapeControls(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] == 0x7f:
			out = append(out, `\u007f`...)
		case b[i] == 0xc2 && i+1 < len(b) && b[i+1] >= 0x80 && b[i+1] < 0xa0:
			out = fmt.Appendf(out, `\u%04x`, b[i+1])
			i++
		default:
			out = append(out, b[i])
		}
	}
	return out
}

// forPrograms reports whether a program reads the output, and errors with it.
func (c *commandLine) forPrograms() bool {
	return c.flags.output == formatJSON || c.flags.output == formatNDJSON
}

func tsv(rows [][]string) []byte {
	var b bytes.Buffer
	for _, row := range rows {
		for i, cell := range row {
			if i > 0 {
				b.WriteByte('\t')
			}
			b.WriteString(escapeTSV(cell))
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

var tsvEscapes = strings.NewReplacer("\\", `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`)

func escapeTSV(s string) string { return safe(tsvEscapes.Replace(s)) }

// fields shows one record as a table of names and values, without those that are empty.
func fields(kv ...string) view {
	v := view{wrap: true}
	for i := 0; i+1 < len(kv); i += 2 {
		if kv[i+1] != "" {
			v.rows = append(v.rows, []string{kv[i], kv[i+1]})
		}
	}
	v.paint = func(col int, cell string) colour {
		if col == 0 {
			return mutedColour
		}
		return noColour
	}
	return v
}

// join lists texts in one cell.
func join(list []string) string { return strings.Join(list, ", ") }

// inline writes a configuration in one cell.
func inline(m map[string]any) string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for i, k := range keys {
		keys[i] = fmt.Sprintf("%s=%v", k, m[k])
	}
	return strings.Join(keys, " ")
}
