package connectortest

import (
	"cmp"
	"fmt"
	"regexp"
)

// faults returns what is missing or wrong in the suite itself.
func (s *Suite) faults() []string {
	s.patience = cmp.Or(s.patience, defaultPatience)
	s.hangTime = cmp.Or(s.hangTime, defaultHang)
	if s.Definition == nil || len(s.Definition.Auth) == 0 || s.Config == nil || (s.Handler == nil) == (s.Harness == nil) {
		return []string{"Definition with an auth method, Config, and either Handler or Harness are needed"}
	}
	if _, ok := s.Definition.Method(s.method()); !ok {
		return []string{"Method is none of the definition's"}
	}
	return append(s.entryFaults(), s.skipFaults()...)
}

// entryFaults returns what is wrong with the expected entries.
func (s *Suite) entryFaults() []string {
	var out []string
	for _, op := range s.listings() {
		if got := len(op.want(s)[op.target(s)]); got == 0 || got < 3 && !op.ids {
			out = append(out, "no listing of "+op.name+" has three entries, or ids at all")
		}
	}
	for id := range s.Commented {
		if _, ok := s.Items[id]; !ok {
			out = append(out, "Commented has the container "+id+", Items has not")
		}
	}
	return out
}

func (s *Suite) skipFaults() []string {
	var out []string
	for _, k := range s.Skip {
		re, err := regexp.Compile(k.pattern())
		if err != nil {
			out = append(out, fmt.Sprintf("Skip %q: %v", k.Rows, err))
			continue
		}
		if k.Reason == "" {
			out = append(out, fmt.Sprintf("Skip %q has no reason", k.Rows))
		}
		fits := false
		for _, r := range s.rows() {
			fits = fits || re.MatchString(r.name)
		}
		if !fits {
			out = append(out, fmt.Sprintf("Skip %q fits no row", k.Rows))
		}
	}
	return out
}

func (k Skip) pattern() string { return "^(?:" + k.Rows + ")$" }

// skipped returns why the row does not apply.
func (s *Suite) skipped(name string) (reason string, skipped bool) {
	for _, k := range s.Skip {
		if regexp.MustCompile(k.pattern()).MatchString(name) {
			return k.Reason, true
		}
	}
	return "", false
}
