package sandbox

import "net/http"

func (j *jira) showIssue(w http.ResponseWriter, r *http.Request) {
	ref, ok := j.world.lookup(r.PathValue("idOrKey"))
	if !ok || isAnonymous(r) {
		writeError(w, http.StatusNotFound, messageNoIssue)
		return
	}
	query := r.URL.Query()
	set := j.world.fields.choose(commaList(query["fields"]), "*all")
	// A single issue always has its key, however few fields are asked for.
	set.idOnly = false
	expand := commaSet(query["expand"])
	p := j.pen(r)
	answerJSON(w, func(b []byte) []byte {
		b = p.fields.expand(trimBrace(p.issue(b, ref, set)), set, expand)
		if expand["changelog"] {
			b = p.expandChangelog(b, ref)
		}
		return append(b, '}')
	})
}

// trimBrace opens an object again.
func trimBrace(b []byte) []byte { return b[:len(b)-1] }
