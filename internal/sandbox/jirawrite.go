package sandbox

import (
	"bytes"
	"encoding/json"
	"net/http"
)

// addComment makes a comment; it is listed from then on, and the issue counts as updated.
func (j *jira) addComment(w http.ResponseWriter, r *http.Request) {
	ref, ok := j.issueOfPath(w, r)
	if !ok {
		return
	}
	var asked struct {
		Body json.RawMessage `json:"body"`
	}
	if !j.decode(w, r, &asked) {
		return
	}
	body, ok := document(asked.Body)
	if !ok {
		refuseComment(w)
		return
	}
	made := j.world.postComment(ref, j.world.caller, body)
	writeJSON(w, http.StatusCreated, j.pen(r).posted(nil, ref, made))
}

func refuseComment(w http.ResponseWriter) {
	writeValue(w, http.StatusBadRequest, map[string]any{
		"errorMessages": []string{}, "errors": map[string]string{"comment": "Comment body is not valid!"},
	})
}

// addText makes a comment of a text, as version 2 of the API does, and answers with the text.
func (j *jira) addText(w http.ResponseWriter, r *http.Request) {
	ref, ok := j.issueOfPath(w, r)
	if !ok {
		return
	}
	var asked struct {
		Body string `json:"body"`
	}
	if !j.decode(w, r, &asked) {
		return
	}
	if asked.Body == "" {
		refuseComment(w)
		return
	}
	made := j.world.postComment(ref, j.world.caller, paragraph(asked.Body))
	made.body = string(appendString(nil, asked.Body))
	writeJSON(w, http.StatusCreated, j.pen(r).posted(nil, ref, made))
}

// document reads a document in the Atlassian Document Format that has something in it.
func document(raw json.RawMessage) (string, bool) {
	var doc struct {
		Type    string            `json:"type"`
		Version int               `json:"version"`
		Content []json.RawMessage `json:"content"`
	}
	var compact bytes.Buffer
	if json.Unmarshal(raw, &doc) != nil || doc.Type != "doc" || doc.Version != 1 || len(doc.Content) == 0 || json.Compact(&compact, raw) != nil {
		return "", false
	}
	return compact.String(), true
}

// showComment answers /issue/{key}/comment/{id}.
func (j *jira) showComment(w http.ResponseWriter, r *http.Request) {
	ref, ok := j.issueOfPath(w, r)
	if !ok {
		return
	}
	p := j.pen(r)
	for _, k := range p.places(ref) {
		body := p.comment(nil, ref, k)
		var one struct {
			ID string `json:"id"`
		}
		if json.Unmarshal(body, &one) == nil && one.ID == r.PathValue("id") {
			writeJSON(w, http.StatusOK, body)
			return
		}
	}
	writeError(w, http.StatusNotFound, "Can not find a comment for the id: "+r.PathValue("id")+".")
}
