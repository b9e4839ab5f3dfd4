package sandbox

import "net/http"

const commentsPageCap = 100

// embeddedComments is how many comments Jira puts into an issue's own comment field.
const embeddedComments = 20

const messageNoIssue = "Issue does not exist or you do not have permission to see it."

func (j *jira) listComments(w http.ResponseWriter, r *http.Request) {
	ref, ok := j.world.lookup(r.PathValue("idOrKey"))
	if !ok || isAnonymous(r) {
		writeError(w, http.StatusNotFound, messageNoIssue)
		return
	}
	query := r.URL.Query()
	startAt, err := intParam(query, "startAt", 0)
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	size, err := intParam(query, "maxResults", commentsPageCap)
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	descending := false
	switch order := query.Get("orderBy"); order {
	case "", "created", "+created", " created":
	case "-created":
		descending = true
	default:
		writeError(w, http.StatusBadRequest, "The orderBy value '"+order+"' is not supported: use created or -created.")
		return
	}
	p := j.pen(r)
	page := commentPage{ref: ref, startAt: startAt, size: min(size, commentsPageCap), descending: descending}
	answerJSON(w, func(b []byte) []byte { return p.comments(b, page) })
}

// commentPage is one page of an issue's comments.
type commentPage struct {
	ref           issueRef
	startAt, size int
	descending    bool
}

func (p *pen) comments(b []byte, page commentPage) []byte {
	all := p.places(page.ref)
	b = appendInt(b, `{"startAt":`, int64(page.startAt))
	b = appendInt(b, `,"maxResults":`, int64(page.size))
	b = appendInt(b, `,"total":`, int64(len(all)))
	b = append(b, `,"comments":[`...)
	for i := page.startAt; i < min(page.startAt+page.size, len(all)); i++ {
		if i > page.startAt {
			b = append(b, ',')
		}
		k := all[i]
		if page.descending {
			k = all[len(all)-1-i]
		}
		b = p.comment(b, page.ref, k)
	}
	return append(b, `]}`...)
}

// comment writes the comment of an issue at one of its places. It leaves the pen's stream elsewhere.
func (p *pen) comment(b []byte, ref issueRef, k int) []byte {
	s, _ := p.state(ref)
	made := p.baseComments(ref)
	if k >= made {
		return p.posted(b, ref, s.comments[k-made])
	}
	id := p.commentID(ref, k)
	p.rng = newRNG(p.seed, domainComment, id)
	b = p.appendSelf(append(b, '{'), ref)
	b = appendInt(b, `/comment/`, id)
	b = append(b, `","id":`...)
	b = appendID(b, id)
	author := p.anybody()
	if !p.rng.oneIn(20) { // an anonymous comment has no author
		b = append(b, `,"author":`...)
		b = p.fill(b, author.user)
		b = append(b, `,"updateAuthor":`...)
		b = p.fill(b, author.user)
	}
	edit, edited := s.edited[id]
	b = append(b, `,"body":`...)
	start := len(b)
	if b = p.document(b, p.rng.below(5)); edited {
		b = append(b[:start], edit.body...)
	}
	created := p.commentTime(ref, k, made)
	updated := created
	if p.rng.oneIn(4) {
		updated = (created + p.baseUpdated(ref)) / 2
	}
	if edited {
		updated = edit.at
	}
	b = append(b, `,"created":`...)
	b = p.appendTime(b, created)
	b = append(b, `,"updated":`...)
	b = p.appendTime(b, updated)
	if p.rng.oneIn(8) {
		b = append(b, `,"visibility":{"type":"role","value":"Administrators","identifier":"Administrators"}`...)
	}
	return append(b, `,"jsdPublic":true}`...)
}

// posted writes a comment that a client made.
func (p *pen) posted(b []byte, ref issueRef, c postedComment) []byte {
	b = p.appendSelf(append(b, '{'), ref)
	b = appendInt(b, `/comment/`, c.id)
	b = append(b, `","id":`...)
	b = appendID(b, c.id)
	b = append(b, `,"author":`...)
	b = p.fill(b, p.accounts[c.author].user)
	b = append(b, `,"updateAuthor":`...)
	b = p.fill(b, p.accounts[c.author].user)
	b = append(b, `,"body":`+c.body+`,"created":`...)
	b = p.appendTime(b, c.at)
	b = append(b, `,"updated":`...)
	b = p.appendTime(b, max(c.at, c.edited))
	return append(b, `,"jsdPublic":true}`...)
}
