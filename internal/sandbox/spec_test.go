package sandbox

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// sharedDir returns the folder with Atlassian's documents; a test without them is skipped.
func sharedDir(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("UCF_SHARED"); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("go.mod not found above the test")
		}
		dir = filepath.Dir(dir)
	}
	shared := filepath.Join(filepath.Dir(dir), "shared")
	if _, err := os.Stat(shared); err != nil {
		t.Skip("UCF_SHARED is not set and there is no shared folder beside the module")
	}
	return shared
}

var loadSpec = sync.OnceValues(func() (*openapi3.T, error) { return openapi3.NewLoader().LoadFromFile(specPath) })

var specPath string

// jiraSpec returns Atlassian's document. Its date-time includes Jira's offset without colon, so the format is widened.
func jiraSpec(t *testing.T) *openapi3.T {
	t.Helper()
	specPath = filepath.Join(sharedDir(t), "specs", "jira-v3.json")
	spec, err := loadSpec()
	if err != nil {
		t.Fatal(err)
	}
	jiraTime := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4}$`)
	openapi3.DefineStringFormatValidator("date-time", openapi3.NewRegexpFormatValidator(jiraTime.String()))
	// OpenAPI 3.0.3 lets nullable restrict only schemas with a type; the validator applies it to {} as well.
	values := spec.Components.Schemas["IssueBean"].Value.Properties["fields"].Value.AdditionalProperties.Schema
	if values.Value.Type != nil {
		t.Fatal("issue fields have a type: null may be wrong now")
	}
	values.Value.Nullable = true
	return spec
}

// confluenceSpec returns Atlassian's document of a version of Confluence's API.
func confluenceSpec(t *testing.T, version int) *openapi3.T {
	t.Helper()
	spec, err := openapi3.NewLoader().LoadFromFile(filepath.Join(sharedDir(t), "specs", "confluence-v"+strconv.Itoa(version)+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// checkBody holds an answer against the schema that the document has for the path and status. Where the document
// names no schema for a failure, the error collection is meant.
func checkBody(t *testing.T, spec *openapi3.T, path, method string, response *http.Response, body []byte) {
	t.Helper()
	schema := spec.Components.Schemas["ErrorCollection"].Value
	if response.StatusCode == http.StatusOK {
		operation := spec.Paths.Value(path).GetOperation(method)
		schema = operation.Responses.Status(http.StatusOK).Value.Content.Get("application/json").Schema.Value
	}
	var value any
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	if err := schema.VisitJSON(value, openapi3.MultiErrors(), openapi3.VisitAsResponse()); err != nil {
		t.Errorf("%s %s: %v", method, path, err)
	}
}

func TestEveryBodyMatchesTheDocument(t *testing.T) {
	spec := jiraSpec(t)
	site := serve(t, Options{Comments: 4})
	jql := func(q string) string { return url.QueryEscape(q) }
	cases := []struct {
		name, path, address string
		status              int
	}{
		{"server info", "/rest/api/3/serverInfo", "", 200},
		{"myself", "/rest/api/3/myself", "", 200},
		{"projects", "/rest/api/3/project/search", "?expand=description,lead,url,insight", 200},
		{"projects, second page", "/rest/api/3/project/search", "?startAt=2&maxResults=2", 200},
		{"projects, none", "/rest/api/3/project/search", "?status=archived", 200},
		{"projects, bad order", "/rest/api/3/project/search", "?orderBy=nonsense", 400},
		{"project", "/rest/api/3/project/{projectIdOrKey}", "/rest/api/3/project/PAY?expand=insight,url", 200},
		{"project, missing", "/rest/api/3/project/{projectIdOrKey}", "/rest/api/3/project/NOPE", 404},
		{"issues, ids", "/rest/api/3/search/jql", "?jql=" + jql("project = PAY"), 200},
		{"issues, all fields", "/rest/api/3/search/jql", "?fields=*all&maxResults=100&jql=" + jql("project = PAY"), 200},
		{"issues, names", "/rest/api/3/search/jql", "?fields=*all&expand=names,schema&maxResults=3&jql=" + jql("project = PAY"), 200},
		{"issues, changelogs", "/rest/api/3/search/jql", "?fields=worklog&expand=changelog&jql=" + jql("project = PAY"), 200},
		{"issues, bad query", "/rest/api/3/search/jql", "?jql=" + jql("project ="), 400},
		{"issue", "/rest/api/3/issue/{issueIdOrKey}", "/rest/api/3/issue/PAY-3?expand=names,schema", 200},
		{"issue, missing", "/rest/api/3/issue/{issueIdOrKey}", "/rest/api/3/issue/PAY-0", 404},
		{"comments", "/rest/api/3/issue/{issueIdOrKey}/comment", "/rest/api/3/issue/PAY-3/comment", 200},
		{"comments, last page", "/rest/api/3/issue/{issueIdOrKey}/comment", "/rest/api/3/issue/PAY-3/comment?startAt=200&orderBy=-created", 200},
		{"comments, missing issue", "/rest/api/3/issue/{issueIdOrKey}/comment", "/rest/api/3/issue/1/comment", 404},
		{"removed search", "/rest/api/3/search", "", 410},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			address := c.address
			if !strings.HasPrefix(address, "/") {
				address = c.path + c.address
			}
			response, body := get(t, site+address)
			if response.StatusCode != c.status {
				t.Fatalf("status = %d, want %d: %s", response.StatusCode, c.status, body)
			}
			checkBody(t, spec, c.path, http.MethodGet, response, body)
		})
	}
}

// Descriptions and comments are the richest bodies: every issue of a site is held against the document.
func TestEveryIssueAndCommentMatchesTheDocument(t *testing.T) {
	spec := jiraSpec(t)
	site := serve(t, Options{Issues: 300, Projects: 2})
	for _, key := range []string{"PAY", "OPS"} {
		for token := ""; ; {
			response, body := get(t, site+"/rest/api/3/search/jql?fields=*all&maxResults=100&jql=project%3D"+key+"&nextPageToken="+token)
			checkBody(t, spec, "/rest/api/3/search/jql", http.MethodGet, response, body)
			if token = decodePage(t, body).NextPageToken; token == "" {
				break
			}
		}
	}
	response, body := get(t, site+"/rest/api/3/issue/OPS-3/comment")
	checkBody(t, spec, "/rest/api/3/issue/{issueIdOrKey}/comment", http.MethodGet, response, body)
}
