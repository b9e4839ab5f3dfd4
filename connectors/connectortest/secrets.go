package connectortest

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/unified-connector/ucf/connectors"
)

// needles are the forms in which the secrets of a configuration could show.
type needles []string

func needlesOf(c connectors.Config) needles {
	var n needles
	m := c.AuthMethod()
	for name, secret := range c.Secrets() {
		v := secret.Reveal()
		forms := []string{v}
		if name == m.Secret && m.User != "" {
			forms = append(forms, c.String(m.User)+":"+v)
		}
		for _, f := range forms {
			n = append(n, f, url.QueryEscape(f), url.PathEscape(f), hex.EncodeToString([]byte(f)),
				base64.RawStdEncoding.EncodeToString([]byte(f)), base64.RawURLEncoding.EncodeToString([]byte(f)),
				fmt.Sprintf("%v", []byte(f)))
		}
	}
	return n
}

// check reports a text that shows a secret, without repeating the secret.
func (n needles) check(tb TB, what, text string) {
	tb.Helper()
	if slices.ContainsFunc(n, func(s string) bool { return strings.Contains(text, s) }) {
		tb.Errorf("%s shows a secret", what)
	}
}

// printed is every way in which a value ends in a text.
func printed(v any) map[string]string {
	out := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		out[verb] = fmt.Sprintf(verb, v)
	}
	if data, err := json.Marshal(v); err == nil {
		out["JSON"] = string(data)
	}
	var logged bytes.Buffer
	slog.New(slog.NewTextHandler(&logged, nil)).Info("", "v", v)
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("", "v", v)
	out["log"] = logged.String()
	return out
}

// checkPrinted prints everything that a caller can hold.
func checkPrinted(tb TB, s *Suite) {
	tb.Helper()
	l := newLab(tb, s)
	for _, m := range s.Definition.AuthMethods() {
		config := l.config(m, nil)
		conn := l.openWith(config, "tenant|connection")
		for _, op := range s.operations() {
			l.mustAsk(op, conn, op.first(s))
		}
		driver := l.driver(m)
		for _, v := range []any{config, &config, conn, *conn, driver, reflect.ValueOf(driver).Elem().Interface(), config.Public(), config.Secrets()} {
			for how, text := range printed(v) {
				needlesOf(config).check(tb, fmt.Sprintf("%s: %T printed as %s", m, v, how), text)
			}
		}
		l.release(conn)
	}
}

// echo is a system that repeats what it was sent, in every place where systems put their messages.
func echo(status int) variant {
	return variant{name: "echo", answer: func(x exchange) {
		sent := strings.Join(x.r.Header["Authorization"], " ")
		if _, encoded, ok := strings.Cut(sent, "Basic "); ok {
			plain, _ := base64.StdEncoding.DecodeString(encoded)
			_, secret, _ := strings.Cut(string(plain), ":")
			sent += " " + string(plain) + " " + secret
		}
		if _, secret, ok := strings.Cut(sent, "Bearer "); ok {
			sent += " " + secret
		}
		object := map[string]any{
			"message": sent, "errorMessages": []string{sent}, "errors": map[string]string{"field": sent},
			"error": sent, "error_description": sent, "detail": sent, "title": sent, "errorCode": sent, "reason": sent,
		}
		var body any = object
		if x.r.URL.Query().Has("array") {
			body = []any{object}
		}
		data, _ := json.Marshal(body)
		x.w.Header().Set("WWW-Authenticate", "Basic realm="+sent)
		x.reply(status, jsonType, data)
	}}
}

// provoke puts every operation to every fault that is quick to bring about, and hands each error over.
func (l *lab) provoke(method string, each func(op operation, err error)) {
	l.tb.Helper()
	all := []variant{echo(400), echo(401), echo(403), echo(404), echo(409), echo(429), echo(500), echo(200)}
	for _, f := range faults() {
		if f.name != "endless_body" {
			all = append(all, f.variants...)
		}
	}
	c := l.openWith(l.config(method, nil), "tenant|connection")
	defer l.release(c)
	for _, op := range l.s.operations() {
		l.mustAsk(op, c, op.first(l.s))
		for _, v := range all {
			if l.s.Harness != nil && v.kind == kindAnswer {
				continue
			}
			if err := l.struck(v, 0, op, c, op.first(l.s)).err; err != nil {
				each(op, err)
			}
		}
		for _, change := range l.harnessFaults() {
			l.provokeWith(method, change, op, each)
		}
	}
}

func (l *lab) harnessFaults() map[string]func(map[string]any) {
	if l.s.Harness == nil {
		return nil
	}
	return l.s.Harness.Faults
}

func (l *lab) provokeWith(method string, change func(map[string]any), op operation, each func(operation, error)) {
	l.tb.Helper()
	c := l.openWith(l.config(method, change), "tenant|connection")
	defer l.release(c)
	if _, err := l.ask(op, c, op.first(l.s)); err != nil {
		each(op, err)
	}
}

func checkSecretErrors(tb TB, s *Suite) {
	tb.Helper()
	l := newLab(tb, s)
	for _, m := range s.Definition.AuthMethods() {
		n := needlesOf(l.config(m, nil))
		l.provoke(m, func(op operation, err error) {
			for ; err != nil; err = errors.Unwrap(err) {
				for how, text := range printed(err) {
					n.check(tb, fmt.Sprintf("%s: an error of %s, %T as %s", m, op.name, err, how), text)
				}
				n.check(tb, fmt.Sprintf("%s: the text of an error of %s", m, op.name), err.Error())
				var e *connectors.Error
				if errors.As(err, &e) {
					n.check(tb, fmt.Sprintf("%s: the details of an error of %s", m, op.name), fmt.Sprintf("%#v", e.Details))
				}
			}
		})
	}
}

// checkSecretLogs looks at what the driver, the client and whoever uses the default loggers wrote, addresses
// included.
func checkSecretLogs(tb TB, s *Suite) {
	tb.Helper()
	l := newLab(tb, s)
	standard, writer := slog.Default(), log.Writer()
	level := slog.SetLogLoggerLevel(slog.LevelDebug)
	slog.SetDefault(slog.New(slog.NewJSONHandler(l.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	log.SetOutput(l.log)
	defer func() {
		slog.SetDefault(standard)
		slog.SetLogLoggerLevel(level)
		log.SetOutput(writer)
	}()
	logger := slog.New(slog.NewJSONHandler(l.log, nil))
	for _, m := range s.Definition.AuthMethods() {
		config := l.config(m, nil)
		l.provoke(m, func(_ operation, err error) { logger.Info("failed", "error", err, "config", config) })
		needlesOf(config).check(tb, m+": the log", l.log.String())
	}
	if l.log.String() == "" {
		tb.Errorf("nothing was logged, not even errors")
	}
}
