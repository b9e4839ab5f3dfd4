package jira

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
	"fmt"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/sandbox"
)

func TestTmp(t *testing.T) {
	for _, f := range []string{"", "empty-page", "repeat-token", "anonymous", "expire-token:after=2", "cut", "html", "410"} {
	t.Run(f, func(t *testing.T) {
	o := sandbox.Options{Projects: 7, Issues: 1234}
	if f != "" {
		x, err := sandbox.ParseFault(f)
		if err != nil { t.Log(err); return }
		o.Faults = append(o.Faults, x)
	}
	srv, err := sandbox.New(o)
	if err != nil { t.Fatal(err) }
	h := httptest.NewServer(srv)
	defer h.Close()
	config, _ := Definition.ParseConfig(map[string]any{"base_url": h.URL+"/acme", "api_email": "you@example.com", "api_token": "sandbox"})
	client := h.Client()
	client.Transport = auth{client.Transport}
	c, _ := connectors.Open(connectors.Options{Env: connectors.Env{Config: config, HTTP: client, Now: time.Now}, Sealer: plainSealer{}})
	p, err := c.Probe(bg())
	t.Logf("%+v %v", p, err)
	n := 0
	for pg, err := range c.AllContainers(bg(), connectors.ContainerQuery{Limit: 3}) { n += len(pg.Items); if err != nil { t.Log(err) } }
	t.Log("projects", n)
	seen := map[string]bool{}
	n = 0
	for pg, err := range c.AllItems(bg(), connectors.ItemQuery{Limit: 200}) { n += len(pg.Items); if err != nil { t.Log(err) }
		for _, it := range pg.Items { seen[it.ID] = true } }
	t.Log("items", n, len(seen))
	n = 0
	for pg, err := range c.AllItems(bg(), connectors.ItemQuery{Limit: 200, Query: "status = Done order by key", UpdatedAfter: time.Unix(1,0)}) { n += len(pg.Items); if err != nil { t.Log(err) } }
	t.Log("done", n)
	pg, err := c.Items(bg(), connectors.ItemQuery{Limit: 2, Wide: true, Raw: true})
	if err == nil { b, _ := pg.Items[1].AppendJSON(nil); t.Log(string(b[:min(len(b), 3000)])) 
	n = 0
	var cc connectors.Comment
	for pg, err := range c.AllComments(bg(), connectors.CommentQuery{Limit: 200, ItemID: fmt.Sprint(pg.Items[0].ContainerID, "-3")}) { n += len(pg.Items); if err != nil { t.Log(err) }
		for _, x := range pg.Items { if len(x.Text) > len(cc.Text) { cc = x} } }
	t.Logf("comments %d %+v", n, cc)
	}
	_, err = c.Items(bg(), connectors.ItemQuery{Limit: 2, ContainerID: "NOPE"}); t.Log(err)
	_, err = c.Items(bg(), connectors.ItemQuery{Limit: 2, Query: "bogus ="}); t.Log(err)
	_, err = c.Comments(bg(), connectors.CommentQuery{Limit: 2, ItemID: "NOPE-1"}); t.Log(err)
	})
	}
}
type auth struct{ next http.RoundTripper }

func (a auth) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.SetBasicAuth("you@example.com", "sandbox")
	return a.next.RoundTrip(r)
}
