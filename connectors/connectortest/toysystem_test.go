package connectortest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// toySystem is a tiny system with boxes, things in boxes, and notes on things.
type toySystem struct {
	emptyPage   string // the listing that has an empty page before its end
	repeatToken string // the listing that hands out one page token again and again
	gap         bool   // some notes are hidden
}

const (
	toyUser   = "ada@example.com"
	toySecret = "toy-S3cret/with+odd=signs"
)

var (
	toyBoxes  = []string{"red", "green", "blue", "tiny"}
	toyThings = map[string][]string{
		"red": {"r1", "r2", "r3", "r4", "r5", "r6", "r7"}, "green": {"g1", "g2"}, "blue": {"b1", "b2", "b3"}, "tiny": {},
	}
	toyNotes = map[string][]string{"r1": {"n1", "n2", "n3", "n4"}, "r2": {"n6"}, "r5": {"n7"}, "g2": {"n5"}, "b1": {}}
)

// handler returns the system as an [http.Handler].
func (s toySystem) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, _ *http.Request) { say(w, 200, `{"id":"u1","name":"Ada"}`) })
	mux.HandleFunc("GET /sites", sayToySites)
	mux.HandleFunc("GET /info", func(w http.ResponseWriter, _ *http.Request) { say(w, 200, `{"title":"Toy","version":"1.0"}`) })
	mux.HandleFunc("GET /boxes", func(w http.ResponseWriter, r *http.Request) {
		s.list(w, r, "containers", toyBoxes, func(id string) string {
			return fmt.Sprintf(`{"id":%q, "title":"Box %s","weight":1.10}`, id, id)
		})
	})
	mux.HandleFunc("GET /boxes/{box}/things", s.things)
	mux.HandleFunc("GET /boxes/{box}/talk", s.talk)
	mux.HandleFunc("GET /things/{thing}/notes", func(w http.ResponseWriter, r *http.Request) {
		notes := toyNotes[r.PathValue("thing")]
		if boxOf(r.PathValue("thing")) == "" {
			say(w, 404, `{"message":"no such thing"}`)
			return
		}
		s.list(w, r, "comments", notes, func(id string) string {
			return fmt.Sprintf(`{"id":%q,"by":"Ada","text":"note <b>%s</b>","at":"2026-04-28T15:33:15+02:00","n":12345678901234567890}`, id, id)
		})
	})
	return s.guarded(mux)
}

func (s toySystem) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, pass, ok := r.BasicAuth()
		if (!ok || user != toyUser || pass != toySecret) && r.Header.Get("Authorization") != "Bearer "+toySecret {
			say(w, 401, `{"message":"who are you?"}`)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s toySystem) things(w http.ResponseWriter, r *http.Request) {
	box := r.PathValue("box")
	ids, ok := toyThings[box]
	if box == "*" { // what a query finds
		ids, ok = toyThings["red"], r.URL.Query().Get("q") == "box = red"
	}
	if !ok {
		say(w, 404, `{"message":"no such box"}`)
		return
	}
	if since, err := time.Parse(time.RFC3339, r.URL.Query().Get("since")); err == nil && since.Year() > 2100 {
		ids = nil
	}
	s.list(w, r, "items", ids, func(id string) string {
		return fmt.Sprintf(`{"id":%q,"title":"Thing %s","box":%q,"number":1.50,"notes":%d,"at":"2026-04-28T15:33:15.5+02:00"}`, id, id, boxOf(id), len(toyNotes[id]))
	})
}

func boxOf(thing string) string {
	for box, things := range toyThings {
		if slices.Contains(things, thing) {
			return box
		}
	}
	return ""
}

// list answers with one page. A page token is "t" and the number of entries before the page; "e" marks the page
// after an empty one.
func (s toySystem) list(w http.ResponseWriter, r *http.Request, listing string, ids []string, object func(id string) string) {
	s.listWith(w, r, "", listing, ids, object)
}

// listWith has a page say more.
func (s toySystem) listWith(w http.ResponseWriter, r *http.Request, more, listing string, ids []string, object func(id string) string) {
	limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil || limit < 1 || limit > 200 {
		say(w, 400, `{"message":"limit"}`)
		return
	}
	token := r.URL.Query().Get("page")
	from, ok := 0, true
	if token != "" {
		from, ok = offsetOf(token)
	}
	if !ok || from > len(ids) {
		say(w, 400, `{"message":"no such page"}`)
		return
	}
	end := min(from+limit, len(ids))
	if listing == s.emptyPage && from > 0 && !strings.HasPrefix(token, "e") {
		say(w, 200, fmt.Sprintf(`{"entries":[],"next":"e%d"}`, from))
		return
	}
	var entries []string
	for _, id := range ids[from:end] {
		entries = append(entries, object(id))
	}
	next := ""
	if end < len(ids) {
		next = fmt.Sprintf("t%d", end)
	}
	if listing == s.repeatToken {
		next = "t1"
	}
	say(w, 200, fmt.Sprintf("{%s\"entries\":[%s],\n \"next\":%q}", more, strings.Join(entries, ","), next))
}

func offsetOf(token string) (int, bool) {
	if token[0] != 't' && token[0] != 'e' {
		return 0, false
	}
	n, err := strconv.Atoi(token[1:])
	return n, err == nil && n > 0
}

func say(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}
