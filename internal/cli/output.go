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
	// wrap continues a long last cell on further lines instead of cutting it.
	wrap bool
	// empty is said instead of an empty table.
	empty string
	// paint colours a cell by its column; nil for none.
	paint func(p painter, col int, text string) string
}

// show prints a result: data for programs, v for people.
func (c *commandLine) show(data any, v view) error {
	switch c.format() {
	case formatJSON:
		b, err := json.MarshalIndent(data, "", "  ")
		if err != nil {
			return err
		}
		return c.write(append(b, '\n'))
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
		return c.write(append(b, '\n'))
	}
	return c.showRows(v)
}

// showList prints a list of which a program gets the whole page, and with ndjson one entry a line.
func showList[T any](c *commandLine, page connectors.Page[T], v view) error {
	if c.format() != formatNDJSON {
		if err := c.show(page, v); err != nil {
			return err
		}
		c.hintNext(page.Next)
		return nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for _, it := range page.Items {
		if err := enc.Encode(it); err != nil {
			return err
		}
	}
	return c.write(b.Bytes())
}

// hintNext tells people, whose table has no room for a cursor, how to see more.
func (c *commandLine) hintNext(next connectors.Cursor) {
	switch f := c.format(); {
	case next == "":
	case f == formatTable:
		c.note("there is more: --all lists everything, -o json has the cursor")
	case f == formatTSV:
		c.notef("more: --all, a larger --limit, or --cursor %s", next)
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
	if _, err := w.Write(b); err != nil {
		return connectors.Wrap(connectors.Unavailable, err, "the output cannot be written: is the disk full, or the reader gone?")
	}
	return nil
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
	v.paint = func(p painter, col int, text string) string {
		if col == 0 {
			return p.muted(text)
		}
		return text
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
