package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"regexp"

	"go.yaml.in/yaml/v3"

	"github.com/unified-connector/ucf/connectors"
)

// maxConfigFile bounds a configuration file, in bytes.
const maxConfigFile = 1 << 20

// readConfigFile returns the fields of a JSON or YAML file, or of standard input for "-".
func (c *commandLine) readConfigFile(path string) (map[string]any, error) {
	in, name := c.io.In, "standard input"
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, unreadable("the config file "+path, err)
		}
		defer f.Close()
		in, name = f, "the config file "+path
	}
	text, err := io.ReadAll(io.LimitReader(in, maxConfigFile+1))
	if err != nil {
		return nil, unreadable(name, err)
	}
	if len(text) > maxConfigFile {
		return nil, usage("%s is over 1 MiB: is it the right one?", name)
	}
	return parseFields(name, text)
}

func unreadable(name string, err error) error {
	reason := "input/output error"
	var pe *fs.PathError
	if errors.As(err, &pe) {
		reason = pe.Err.Error()
	}
	return connectors.Wrap(connectors.InvalidRequest, err, "%s cannot be read: %s", name, reason)
}

var yamlLine = regexp.MustCompile(`line [0-9]+`)

// notFields says that a text is no object of fields, and where. The parser's own message may quote the text, and
// with it a secret.
func notFields(name, where string) error {
	if where != "" {
		where = "; see " + where
	}
	return usage("%s is not a JSON or YAML object of fields%s", name, where)
}

// parseFields reads an object of fields. Numbers are handed on as the texts they were written as, so that a token of
// digits keeps every one of them.
func parseFields(name string, text []byte) (map[string]any, error) {
	if json.Valid(text) {
		return jsonFields(name, text)
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); err != nil {
		return nil, notFields(name, yamlLine.FindString(err.Error()))
	}
	if !errors.Is(dec.Decode(&more), io.EOF) {
		return nil, notFields(name, "the first document")
	}
	return yamlFields(name, doc.Content[0])
}

// yamlFields returns the fields of a YAML mapping.
func yamlFields(name string, n *yaml.Node) (map[string]any, error) {
	if n.Kind != yaml.MappingNode {
		return nil, notFields(name, "")
	}
	out := map[string]any{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		field := n.Content[i].Value
		if _, twice := out[field]; twice {
			return nil, connectors.InvalidFields(connectors.Fault{Field: field, Message: "is there twice"})
		}
		v, ok := yamlValue(n.Content[i+1])
		if !ok {
			return nil, connectors.InvalidFields(connectors.Fault{Field: field, Message: "must be a text, a number, true, false or a list of texts"})
		}
		out[field] = v
	}
	return out, nil
}

// yamlValue returns a text, a list of texts, or nil for null.
func yamlValue(n *yaml.Node) (v any, ok bool) {
	switch n.Kind {
	case yaml.ScalarNode:
		if n.Tag == "!!null" {
			return nil, true
		}
		return n.Value, true
	case yaml.SequenceNode:
		list := []string{}
		for _, e := range n.Content {
			if e.Kind != yaml.ScalarNode {
				return nil, false
			}
			list = append(list, e.Value)
		}
		return list, true
	}
	return nil, false
}

// jsonFields returns the fields of a JSON object.
func jsonFields(name string, text []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if tok, err := dec.Token(); err != nil || tok != json.Delim('{') {
		return nil, notFields(name, "")
	}
	out := map[string]any{}
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return nil, notFields(name, "")
		}
		field, _ := tok.(string)
		if _, twice := out[field]; twice {
			return nil, connectors.InvalidFields(connectors.Fault{Field: field, Message: "is there twice"})
		}
		var v any
		if err := dec.Decode(&v); err != nil {
			return nil, notFields(name, "")
		}
		if n, ok := v.(json.Number); ok {
			v = n.String()
		}
		out[field] = v
	}
	return out, nil
}
