package sandbox

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
)

const (
	issuesPerPage   = 50
	issuesPageCap   = 100  // with any field beyond id and key
	idsPageCap      = 5000 // with id and key alone
	maxReconcile    = 50
	maxProperties   = 5
	maxRequestBytes = 1 << 20
)

const (
	messageBadPayload = "Invalid request payload. Refer to the REST API documentation and try again."
	messageBadToken   = "The provided nextPageToken is invalid or has expired."
)

// searchRequest is the body of the POST; the GET has the same in its query.
type searchRequest struct {
	JQL             string   `json:"jql"`
	NextPageToken   string   `json:"nextPageToken"`
	MaxResults      int      `json:"maxResults"`
	Fields          []string `json:"fields"`
	Expand          string   `json:"expand"`
	Properties      []string `json:"properties"`
	FieldsByKeys    bool     `json:"fieldsByKeys"`
	ReconcileIssues []int64  `json:"reconcileIssues"`
}

// search answers GET and POST /rest/api/3/search/jql.
func (j *jira) search(w http.ResponseWriter, r *http.Request) {
	request, err := readSearch(w, r)
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	page, err := j.findPage(r, request)
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	if r.Context().Err() != nil {
		return
	}
	expand := commaSet([]string{request.Expand})
	p := j.pen(r)
	answerJSON(w, func(b []byte) []byte {
		b = append(b, `{"issues":[`...)
		for i, ref := range page.issues {
			if i > 0 {
				b = append(b, ',')
			}
			b = p.issue(b, ref, page.fields)
			if expand["changelog"] {
				b = append(p.expandChangelog(trimBrace(b), ref), '}')
			}
		}
		b = append(b, ']')
		b = p.fields.expand(b, page.fields, expand)
		if page.next != "" {
			b = append(b, `,"nextPageToken":"`+page.next+`"`...)
		}
		return append(appendBool(b, `,"isLast":`, page.next == ""), '}')
	})
}

func readSearch(w http.ResponseWriter, r *http.Request) (*searchRequest, error) {
	request := &searchRequest{}
	if r.Method == http.MethodPost {
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequestBytes))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(request); err != nil {
			return nil, refusal(messageBadPayload)
		}
		if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
			return nil, refusal(messageBadPayload)
		}
	} else if err := request.readQuery(r); err != nil {
		return nil, err
	}
	switch {
	case request.MaxResults < 0:
		return nil, refusal("The value of 'maxResults' must not be negative.")
	case len(request.ReconcileIssues) > maxReconcile:
		return nil, refusal("At most 50 issues can be reconciled.")
	case len(request.Properties) > maxProperties:
		return nil, refusal("At most 5 properties can be asked for.")
	case request.MaxResults == 0:
		request.MaxResults = issuesPerPage
	}
	return request, nil
}

func (s *searchRequest) readQuery(r *http.Request) (err error) {
	query := r.URL.Query()
	s.JQL = query.Get("jql")
	s.NextPageToken = query.Get("nextPageToken")
	s.Fields = commaList(query["fields"])
	s.Expand = query.Get("expand")
	s.Properties = commaList(query["properties"])
	for range commaList(query["reconcileIssues"]) {
		s.ReconcileIssues = append(s.ReconcileIssues, 0)
	}
	s.MaxResults, err = intParam(query, "maxResults", issuesPerPage)
	return err
}

// foundPage is one page of results; next is empty on the last.
type foundPage struct {
	issues []issueRef
	fields fieldSet
	next   string
}

// findPage runs the query. An error's text is what the client is told.
func (j *jira) findPage(r *http.Request, request *searchRequest) (foundPage, error) {
	query, err := parseJQL(request.JQL)
	if err != nil {
		return foundPage{}, err
	}
	now := j.now()
	compiler := &jqlCompiler{world: j.world, now: now, anonymous: isAnonymous(r)}
	pl, err := compiler.planQuery(query)
	if err != nil {
		return foundPage{}, err
	}
	at := place{planPlace: pl.start()}
	if request.NextPageToken != "" {
		known, ok := j.pages.open(request.NextPageToken, request.JQL, now)
		if !ok || j.faults.hits(faultExpireToken, r) {
			return foundPage{}, refusal(messageBadToken)
		}
		at = known
	}
	at.issued = now
	return j.turnPage(r, request, pl, at), nil
}

// turnPage collects the page at a place, and works the faults that concern pages.
func (j *jira) turnPage(r *http.Request, request *searchRequest, pl *plan, at place) foundPage {
	page := foundPage{fields: j.world.fields.choose(trimAll(request.Fields), "id")}
	if j.faults.hits(faultEmptyPage, r) {
		at.hop++
		page.next = j.pages.seal(at, request.JQL)
		return page
	}
	if j.faults.hits(faultRepeatToken, r) {
		page.next = cmp.Or(request.NextPageToken, j.pages.seal(at, request.JQL))
	}
	issues, position, more := pl.page(r.Context(), &pen{world: j.world}, at.planPlace, page.fields.pageSize(request.MaxResults))
	page.issues = issues
	if more && page.next == "" {
		page.next = j.pages.seal(place{planPlace: position, issued: at.issued}, request.JQL)
	}
	return page
}

// pageSize is what the server gives when the client asks for that many.
func (s fieldSet) pageSize(asked int) int {
	if s.idOnly || s.keyOnly {
		return min(asked, idsPageCap)
	}
	return min(asked, issuesPageCap)
}

func trimAll(list []string) []string {
	var trimmed []string
	for _, item := range list {
		if item = strings.TrimSpace(item); item != "" {
			trimmed = append(trimmed, item)
		}
	}
	return trimmed
}
