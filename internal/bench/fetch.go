package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
)

// fetchAll is the baseline of a listing: the same pages as the connector asks for, fetched and decoded as little as
// paging needs, or, with decode, into what a line tells of an issue.
func fetchAll(ctx context.Context, base string, decode bool) error {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush() //nolint:errcheck // who measures counts the lines
	token := ""
	for {
		ask := map[string]any{"jql": "project is not EMPTY ORDER BY created ASC, key ASC", "maxResults": 100, "fields": fetchFields}
		if token != "" {
			ask["nextPageToken"] = token
		}
		body, err := json.Marshal(ask)
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/acme/rest/api/3/search/jql", bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.SetBasicAuth("you@example.com", "sandbox")
		req.Header.Set("Content-Type", "application/json")
		page, err := fetchPage(req)
		if err != nil {
			return err
		}
		for _, issue := range page.Issues {
			if decode {
				if issue, err = decoded(issue); err != nil {
					return err
				}
			}
			fmt.Fprintf(out, "%s\n", issue)
		}
		if token = page.NextPageToken; token == "" {
			return nil
		}
	}
}

// decoded returns an issue as a line with the fields that were asked for.
func decoded(raw json.RawMessage) (json.RawMessage, error) {
	type named struct {
		Name        string `json:"name,omitempty"`
		DisplayName string `json:"displayName,omitempty"`
		Key         string `json:"key,omitempty"`
	}
	var issue struct {
		ID     string `json:"id"`
		Key    string `json:"key"`
		Fields struct {
			Summary   string `json:"summary"`
			Status    named  `json:"status"`
			IssueType named  `json:"issuetype"`
			Priority  named  `json:"priority"`
			Assignee  *named `json:"assignee"`
			Reporter  *named `json:"reporter"`
			Project   named  `json:"project"`
			Created   string `json:"created"`
			Updated   string `json:"updated"`
		} `json:"fields"`
	}
	if err := json.Unmarshal(raw, &issue); err != nil {
		return nil, err
	}
	return json.Marshal(issue)
}

// fetchFields are the fields that the connector asks for.
var fetchFields = []string{"summary", "status", "issuetype", "priority", "assignee", "reporter", "project", "created", "updated"}

type fetchedPage struct {
	Issues        []json.RawMessage `json:"issues"`
	NextPageToken string            `json:"nextPageToken"`
}

func fetchPage(req *http.Request) (fetchedPage, error) {
	var p fetchedPage
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return p, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return p, err
	}
	if resp.StatusCode != http.StatusOK {
		return p, fmt.Errorf("the sandbox answers %s", resp.Status)
	}
	return p, json.Unmarshal(b, &p)
}
