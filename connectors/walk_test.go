package connectors

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// tables is a driver that lists the rows of one table at a time: as many tables and rows as a test sets, three
// containers and two rows to a page.
type tables struct {
	names  []string
	rows   map[string]int
	fails  map[string]error // when the rows of a table are asked for
	breaks map[string]error // when its second page is asked for
	lists  int              // how often containers were asked for
	asked  []string
}

func (d *tables) Probe(context.Context) (ProbeResult, error) { return ProbeResult{}, nil }

func (d *tables) ListContainers(_ context.Context, q ContainerQuery) (Page[Container], error) {
	d.lists++
	var page Page[Container]
	from, _ := strconv.Atoi(strings.TrimPrefix(string(q.Cursor), "\xff"))
	for i := from; i < min(from+3, len(d.names)); i++ {
		page.Items = append(page.Items, Container{ID: d.names[i]})
	}
	if from+3 < len(d.names) {
		page.Next = Cursor("\xff" + strconv.Itoa(from+3))
	}
	return page, nil
}

func (d *tables) ListItems(_ context.Context, q ItemQuery) (Page[Item], error) {
	d.asked = append(d.asked, q.ContainerID+string(q.Cursor))
	var page Page[Item]
	if q.ContainerID == "" {
		return page, Errorf(InvalidRequest, "no container")
	}
	from, _ := strconv.Atoi(strings.TrimPrefix(string(q.Cursor), "\xfe"))
	if err := d.fails[q.ContainerID]; err != nil {
		return page, err
	}
	if err := d.breaks[q.ContainerID]; err != nil && from > 0 {
		return page, err
	}
	for i := from; i < min(from+2, d.rows[q.ContainerID]); i++ {
		page.Items = append(page.Items, Item{ID: fmt.Sprint(q.ContainerID, i), ContainerID: q.ContainerID})
	}
	if from+2 < d.rows[q.ContainerID] {
		page.Next = Cursor("\xfe" + strconv.Itoa(from+2))
	}
	return page, nil
}

func (d *tables) EstimateContainers(context.Context, ContainerQuery) (Estimate, error) {
	return Estimate{}, nil
}

func (d *tables) EstimateItems(_ context.Context, q ItemQuery) (Estimate, error) {
	if err := d.fails[q.ContainerID]; err != nil {
		return Estimate{}, err
	}
	return EstimateOf(int64(d.rows[q.ContainerID]), true, 2, 1, 1), nil
}

func (d *tables) EstimateComments(context.Context, CommentQuery) (Estimate, error) {
	return Estimate{}, Errorf(Unsupported, "no comments")
}

func openTables(t *testing.T, d *tables) *Conn {
	t.Helper()
	def := sampleDefinition()
	def.PerContainer, def.Driver, def.Filters = true, (*tables)(nil), []string{CapQuery}
	def.New = func(Env) (Driver, error) { return d, nil }
	config, err := def.ParseConfig(sampleConfig(nil))
	if err != nil {
		t.Fatal(err)
	}
	c, err := Open(Options{Env: Env{Config: config}, Sealer: newTestSealer(t), Binding: "b"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func sevenTables() *tables {
	return &tables{
		names: []string{"a", "b", "c", "d", "e", "f", "g"},
		rows:  map[string]int{"a": 3, "c": 5, "d": 1, "f": 2, "g": 4},
	}
}

// walked lists everything page by page and returns ids, gaps and the error at the end.
func walked(t *testing.T, c *Conn) (ids, gaps []string, err error) {
	t.Helper()
	for page, err := range c.AllItems(t.Context(), ItemQuery{Limit: 2}) {
		if err != nil {
			return ids, gaps, err
		}
		for _, it := range page.Items {
			ids = append(ids, it.ID)
		}
		for _, g := range page.Incomplete {
			gaps = append(gaps, g.ContainerID+":"+string(g.Code))
		}
	}
	return ids, gaps, nil
}

var allRows = []string{"a0", "a1", "a2", "c0", "c1", "c2", "c3", "c4", "d0", "f0", "f1", "g0", "g1", "g2", "g3"}

func TestWalkListsEveryRowOfEveryContainer(t *testing.T) {
	d := sevenTables()
	ids, gaps, err := walked(t, openTables(t, d))
	if err != nil || len(gaps) > 0 || !slices.Equal(ids, allRows) {
		t.Errorf("got %v, gaps %v, error %v", ids, gaps, err)
	}
	if d.lists != 3 {
		t.Errorf("containers were listed %d times, want 3: once a page", d.lists)
	}
	if ids, _, err := walked(t, openTables(t, &tables{})); err != nil || len(ids) > 0 {
		t.Errorf("without containers: got %v, %v", ids, err)
	}
	many := &tables{}
	for i := range 100 {
		many.names = append(many.names, fmt.Sprintf("t%02d", i))
	}
	if ids, _, err := walked(t, openTables(t, many)); err != nil || len(ids) > 0 || len(many.asked) != 100 {
		t.Errorf("100 empty containers: got %v, %v, asked %d", ids, err, len(many.asked))
	}
}

func TestWalkGoesOnFromACursor(t *testing.T) {
	d := sevenTables()
	var ids []string
	cur := Cursor("")
	c := openTables(t, d)
	for range 50 {
		page, err := c.Items(t.Context(), ItemQuery{Limit: 2, Cursor: cur})
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range page.Items {
			ids = append(ids, it.ID)
		}
		if cur = page.Next; cur == "" {
			break
		}
		c.walk.at = time.Time{} // as another process that goes on
	}
	if !slices.Equal(ids, allRows) {
		t.Errorf("got %v", ids)
	}
}

func TestWalkGoesPastWhatCannotBeRead(t *testing.T) {
	wrapped := func(code Code) error { return Errorf(code, "%s", code) }
	for name, tt := range map[string]struct {
		fails, breaks map[string]error
		gaps          []string
		code          Code
		without       string // tables whose rows are missing
	}{
		"denied":               {fails: map[string]error{"c": Denied(nil, "no")}, gaps: []string{"c:reauthorize"}, without: "c"},
		"vanished":             {fails: map[string]error{"a": wrapped(NotFound), "g": wrapped(NotFound)}, gaps: []string{"a:not_found", "g:not_found"}, without: "ag"},
		"without a key":        {fails: map[string]error{"c": wrapped(Unsupported)}, gaps: []string{"c:unsupported"}, without: "c"},
		"bad filter":           {fails: map[string]error{"c": wrapped(InvalidRequest)}, gaps: []string{"c:invalid_request"}, without: "c"},
		"broken in the middle": {breaks: map[string]error{"c": wrapped(ProviderError)}, gaps: []string{"c:provider_error"}},
		"two failures, apart":  {fails: map[string]error{"a": wrapped(ProviderError), "b": wrapped(ProviderError), "d": wrapped(ProviderError)}, gaps: []string{"a:provider_error", "b:provider_error", "d:provider_error"}, without: "ad"},
		"down":                 {fails: map[string]error{"d": wrapped(ProviderError), "e": wrapped(ProviderError), "f": wrapped(ProviderError)}, code: ProviderError},
		"refused":              {fails: map[string]error{"c": wrapped(Reauthorize)}, code: Reauthorize},
		"limit":                {fails: map[string]error{"c": wrapped(RateLimited)}, code: RateLimited},
		"slow":                 {fails: map[string]error{"c": wrapped(Timeout)}, gaps: []string{"c:timeout"}, without: "c"},
		"silent":               {fails: map[string]error{"c": wrapped(Timeout), "d": wrapped(ProviderError), "e": wrapped(Timeout)}, code: Timeout},
		"our fault":            {fails: map[string]error{"c": errors.New("bug")}, code: Internal},
	} {
		t.Run(name, func(t *testing.T) {
			d := sevenTables()
			d.fails, d.breaks = tt.fails, tt.breaks
			ids, gaps, err := walked(t, openTables(t, d))
			if CodeOf(err) != tt.code {
				t.Fatalf("got %v, want %q", err, tt.code)
			}
			if tt.code != "" {
				return
			}
			if !slices.Equal(gaps, tt.gaps) {
				t.Errorf("gaps: got %v, want %v", gaps, tt.gaps)
			}
			want := slices.DeleteFunc(slices.Clone(allRows), func(id string) bool {
				return strings.Contains(tt.without, id[:1]) || tt.breaks[id[:1]] != nil && id > "c1" && id[:1] == "c"
			})
			if !slices.Equal(ids, want) {
				t.Errorf("got %v, want %v", ids, want)
			}
		})
	}
}

func TestWalkWhileContainersChange(t *testing.T) {
	d := sevenTables()
	c := openTables(t, d)
	first, err := c.Items(t.Context(), ItemQuery{Limit: 2})
	if err != nil || first.Items[0].ID != "a0" {
		t.Fatal(first, err)
	}
	d.names = slices.Delete(d.names, 0, 1) // "a" vanishes after its first page
	c.walk.at = time.Time{}
	next, err := c.Items(t.Context(), ItemQuery{Limit: 2, Cursor: first.Next})
	if err != nil || len(next.Incomplete) != 1 || next.Incomplete[0].ContainerID != "a" || next.Incomplete[0].Code != NotFound {
		t.Errorf("got %+v and error %v: the container that vanished is named", next, err)
	}
	if len(next.Items) == 0 || next.Items[0].ID != "c0" {
		t.Errorf("got %v, want the rows of the next container", next.Items)
	}
}

func TestWalkLeavesNamedContainersAndQueriesToTheDriver(t *testing.T) {
	d := sevenTables()
	c := openTables(t, d)
	if page, err := c.Items(t.Context(), ItemQuery{Limit: 2, ContainerID: "g"}); err != nil || page.Items[0].ID != "g0" || d.lists != 0 {
		t.Errorf("got %v, %v", page, err)
	}
	if _, err := c.Items(t.Context(), ItemQuery{Limit: 2, Query: "x"}); CodeOf(err) != InvalidRequest {
		t.Errorf("a query reaches the driver without a container: got %v", err)
	}
	if _, err := c.Items(t.Context(), ItemQuery{Limit: 2, Cursor: "x"}); CodeOf(err) != InvalidRequest {
		t.Errorf("a damaged cursor: got %v", err)
	}
}

func TestEstimateOfAWalk(t *testing.T) {
	d := sevenTables()
	got, err := openTables(t, d).EstimateItems(t.Context(), ItemQuery{})
	// 3 pages of containers; 2, 1, 3, 1, 1, 1 and 2 of rows, a point each and one a row.
	if want := (Estimate{Entries: 15, Exact: true, Requests: 14, Points: 26}); err != nil || got != want {
		t.Errorf("got %+v and error %v, want %+v", got, err, want)
	}
	d.fails = map[string]error{"c": Denied(nil, "no")}
	if got, err := openTables(t, d).EstimateItems(t.Context(), ItemQuery{}); err != nil || got.Exact || got.Entries != 10 {
		t.Errorf("one that may not be read: got %+v and error %v", got, err)
	}
	d.fails = map[string]error{"c": Errorf(Reauthorize, "no")}
	if _, err := openTables(t, d).EstimateItems(t.Context(), ItemQuery{}); CodeOf(err) != Reauthorize {
		t.Errorf("a refused credential: got %v", err)
	}
	if _, err := openStub(t, &stub{}, "b", nil).EstimateItems(t.Context(), ItemQuery{}); CodeOf(err) != Unsupported {
		t.Errorf("a driver that cannot: got %v", err)
	}
}

// TestWalkSurvivesVanishing has containers vanish between two pages, the next one and one that was read among them: what
// was not read yet is read.
func TestWalkSurvivesVanishing(t *testing.T) {
	for _, gone := range []string{"c", "ac", "bc", "abc", "abcde"} {
		d := &tables{names: strings.Split("abcdefg", ""), rows: map[string]int{}}
		for _, name := range d.names {
			d.rows[name] = 1
		}
		c := openTables(t, d)
		seen := map[string]bool{}
		q := ItemQuery{Limit: 2}
		for n := 0; ; n++ {
			page, err := c.Items(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, it := range page.Items {
				seen[it.ID] = true
			}
			if n == 1 { // a and b were read
				d.names = slices.DeleteFunc(d.names, func(name string) bool { return strings.Contains(gone, name) })
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
			c.walk.at = time.Time{} // as another process that goes on
		}
		for _, name := range d.names {
			if !seen[name+"0"] {
				t.Errorf("without %s, %s was never read", gone, name)
			}
		}
	}
}
