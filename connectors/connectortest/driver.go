package connectortest

import (
	"context"
	"fmt"
	"io"

	"github.com/unified-connector/ucf/connectors"
)

// driver builds a bare driver. It is closed with the test.
func (l *lab) driver(method string) connectors.Driver {
	l.tb.Helper()
	d, err := l.s.Definition.New(l.env(l.config(method, nil)))
	if err != nil {
		l.tb.Fatalf("New: %v", err)
	}
	if c, ok := d.(io.Closer); ok {
		l.tb.Cleanup(func() {
			// Whether a second Close is harmless is for the row of its own to judge.
			defer func() { _ = recover() }()
			_ = c.Close()
		})
	}
	return d
}

// directly asks a bare driver; a panic is an error.
func directly(op operation, d connectors.Driver, r request) (n int, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), healthyTime)
	defer cancel()
	return op.direct(ctx, d, r)
}
