package sandbox

// choice is one value of a field with few values.
type choice struct {
	id, name string
	json     fragment
}

func newChoice(id, name, template string) choice {
	return choice{id: id, name: name, json: newFragment(template)}
}

// catalog is the site's own lists: statuses, issue types, priorities.
type catalog struct {
	statuses, types, priorities []choice
}

func newCatalog() *catalog {
	c := &catalog{}
	addStatus := func(id, name, categoryID, categoryKey, category string) {
		c.statuses = append(c.statuses, newChoice(id, name, `{"self":"{{base}}/rest/api/3/status/`+id+
			`","description":"","iconUrl":"{{base}}/","name":"`+name+`","id":"`+id+
			`","statusCategory":{"self":"{{base}}/rest/api/3/statuscategory/`+categoryID+`","id":`+categoryID+
			`,"key":"`+categoryKey+`","colorName":"yellow","name":"`+category+`"}}`))
	}
	addStatus("10000", "To Do", "2", "new", "To Do")
	addStatus("3", "In Progress", "4", "indeterminate", "In Progress")
	addStatus("10002", "Prüfung", "4", "indeterminate", "In Progress")
	addStatus("10001", "Done", "3", "done", "Done")
	for _, t := range [][3]string{{"10001", "Story", "0"}, {"10002", "Task", "0"}, {"10004", "Bug", "0"}, {"10000", "Epic", "1"}} {
		c.types = append(c.types, newChoice(t[0], t[1], `{"self":"{{base}}/rest/api/3/issuetype/`+t[0]+`","id":"`+t[0]+
			`","description":"","iconUrl":"{{base}}/images/icons/issuetypes/`+t[0]+`.svg","name":"`+t[1]+
			`","subtask":false,"avatarId":10315,"hierarchyLevel":`+t[2]+`}`))
	}
	for _, t := range [][2]string{{"1", "Highest"}, {"2", "High"}, {"3", "Medium"}, {"4", "Low"}, {"5", "Lowest"}} {
		c.priorities = append(c.priorities, newChoice(t[0], t[1], `{"self":"{{base}}/rest/api/3/priority/`+t[0]+
			`","iconUrl":"{{base}}/images/icons/priorities/`+t[0]+`.svg","name":"`+t[1]+`","id":"`+t[0]+`"}`))
	}
	return c
}

// pickOf names the choice that a field of an issue has; both the JSON and the search use it.
func pickOf(p *pen, choices []choice) choice { return choices[p.rng.below(len(choices))] }

const null = `null`

func writeNull(_ *pen, b []byte, _ issueRef) []byte { return append(b, null...) }

func constant(value string) func(*pen, []byte, issueRef) []byte {
	return func(_ *pen, b []byte, _ issueRef) []byte { return append(b, value...) }
}

func templated(template string) func(*pen, []byte, issueRef) []byte {
	f := newFragment(template)
	return func(p *pen, b []byte, _ issueRef) []byte { return p.fill(b, f) }
}

// systemFields are Jira's own.
func systemFields() []issueField {
	system := func(id, name, kind string, write func(*pen, []byte, issueRef) []byte) issueField {
		return issueField{id: id, name: name, schema: `{"type":"` + kind + `","system":"` + id + `"}`, write: write}
	}
	hidden := func(f issueField) issueField {
		f.hidden = true
		return f
	}
	return []issueField{
		system("statuscategorychangedate", "Status Category Changed", "datetime", writeCreated),
		system("summary", "Summary", "string", writeSummary),
		system("issuetype", "Issue Type", "issuetype", func(p *pen, b []byte, _ issueRef) []byte {
			return p.fill(b, pickOf(p, p.catalog.types).json)
		}),
		system("status", "Status", "status", func(p *pen, b []byte, _ issueRef) []byte {
			return p.fill(b, pickOf(p, p.catalog.statuses).json)
		}),
		system("priority", "Priority", "priority", func(p *pen, b []byte, _ issueRef) []byte {
			return p.fill(b, pickOf(p, p.catalog.priorities).json)
		}),
		system("project", "Project", "project", func(p *pen, b []byte, ref issueRef) []byte {
			return p.projectShort(b, p.projectOf(ref))
		}),
		system("description", "Description", "string", writeDescription),
		system("assignee", "Assignee", "user", writeAssignee),
		system("reporter", "Reporter", "user", writeUser),
		system("creator", "Creator", "user", writeUser),
		system("created", "Created", "datetime", writeCreated),
		system("updated", "Updated", "datetime", func(p *pen, b []byte, ref issueRef) []byte {
			return p.appendTime(b, p.updated(ref))
		}),
		system("duedate", "Due date", "date", writeDueDate),
		system("resolution", "Resolution", "resolution", writeNull),
		system("resolutiondate", "Resolved", "datetime", writeNull),
		{
			id: "labels", name: "Labels", schema: `{"type":"array","items":"string","system":"labels"}`,
			write: writeLabels,
		},
		system("components", "Components", "array", constant(`[]`)),
		system("fixVersions", "Fix versions", "array", constant(`[]`)),
		system("environment", "Environment", "string", writeNull),
		system("parent", "Parent", "issuelink", writeParent),
		system("subtasks", "Sub-tasks", "array", constant(`[]`)),
		system("workratio", "Work Ratio", "number", constant(`-1`)),
		system("watches", "Watchers", "watches", writeWatches),
		system("votes", "Votes", "votes", writeVotes),
		hidden(system("timetracking", "Time tracking", "timetracking", constant(`{}`))),
		hidden(system("attachment", "Attachment", "array", constant(`[]`))),
		hidden(system("issuelinks", "Linked Issues", "array", constant(`[]`))),
		hidden(system("comment", "Comment", "comments-page", writeComments)),
		hidden(system("worklog", "Log Work", "array", func(p *pen, b []byte, ref issueRef) []byte { return p.worklogs(b, ref, 0, 20) })),
	}
}

func writeSummary(p *pen, b []byte, ref issueRef) []byte {
	if s, ok := p.state(ref); ok && s.summary != "" {
		return appendString(b, s.summary)
	}
	b = append(b, '"')
	b = p.summary(b)
	return append(b, '"')
}

// longDescription is the number of blocks of the longest descriptions, near Jira's limit of 32,767 characters.
const longDescription = 150

func writeDescription(p *pen, b []byte, ref issueRef) []byte {
	switch {
	case ref.row == 0:
		return p.showcase(b)
	case p.rng.oneIn(8):
		return append(b, null...)
	case p.rng.oneIn(500):
		return p.document(b, longDescription)
	}
	return p.document(b, p.rng.below(8))
}

func writeUser(p *pen, b []byte, _ issueRef) []byte { return p.fill(b, p.anybody().user) }

func writeAssignee(p *pen, b []byte, ref issueRef) []byte {
	if p.unassigned() {
		return append(b, null...)
	}
	return writeUser(p, b, ref)
}

// unassigned decides at the start of an assignee's stream.
func (p *pen) unassigned() bool { return p.rng.oneIn(5) }

func writeCreated(p *pen, b []byte, ref issueRef) []byte { return p.appendTime(b, p.created(ref)) }

func writeDueDate(p *pen, b []byte, ref issueRef) []byte {
	if p.rng.oneIn(2) {
		return append(b, null...)
	}
	b = p.appendTime(b, p.created(ref)+int64(p.rng.below(90))*86_400_000)
	return append(b[:len(b)-len(`T15:04:05.000-0700"`)], '"')
}

var labels = []string{"backend", "größe", "緊急", "tech-debt", "needs_triage", "🔥", "a.b:c/d"}

func writeLabels(p *pen, b []byte, _ issueRef) []byte {
	b = append(b, '[')
	start := p.rng.below(len(labels))
	for i := range p.rng.below(4) {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, labels[(start+i)%len(labels)])
	}
	return append(b, ']')
}

// writeParent names an earlier issue of the project, if the issue has a parent.
func writeParent(p *pen, b []byte, ref issueRef) []byte {
	if ref.row == 0 || !p.rng.oneIn(6) {
		return append(b, null...)
	}
	parent := issueRef{project: ref.project, row: int64(p.rng.next() % uint64(ref.row))}
	b = append(b, `{"id":`...)
	b = appendID(b, p.id(parent))
	b = append(b, `,"key":"`...)
	b = p.appendKey(b, parent)
	b = p.appendSelf(append(b, `",`...), parent)
	b = append(b, `","fields":{"summary":`...)
	b = p.field(b, parent, p.fields.byID["summary"])
	return append(b, `}}`...)
}

func writeWatches(p *pen, b []byte, ref issueRef) []byte {
	b = p.appendSelf(append(b, '{'), ref)
	b = appendInt(b, `/watchers","watchCount":`, int64(p.rng.below(50)))
	return append(b, `,"isWatching":false}`...)
}

func writeVotes(p *pen, b []byte, ref issueRef) []byte {
	b = p.appendSelf(append(b, '{'), ref)
	b = appendInt(b, `/votes","votes":`, int64(p.rng.below(3)))
	return append(b, `,"hasVoted":false}`...)
}

// appendSelf writes the member self with the issue's address, without the closing quote.
func (p *pen) appendSelf(b []byte, ref issueRef) []byte {
	b = append(b, `"self":"`...)
	b = append(b, p.base...)
	return appendInt(b, `/rest/api/3/issue/`, p.id(ref))
}

// writeComments embeds only the newest comments, as Jira does: total says what is missing.
func writeComments(p *pen, b []byte, ref issueRef) []byte {
	total := p.commentCount(ref)
	size := min(total, embeddedComments)
	b = p.comments(b, commentPage{ref: ref, startAt: total - size, size: size})
	b = p.appendSelf(append(b[:len(b)-1], ','), ref)
	return append(b, `/comment"}`...)
}

// archiveFields are null unless the issue is in the archive.
func archiveFields() []issueField {
	when := func(p *pen, b []byte, ref issueRef) []byte {
		if s, ok := p.state(ref); ok && s.archived != 0 {
			return p.appendTime(b, s.archived)
		}
		return append(b, null...)
	}
	by := func(p *pen, b []byte, ref issueRef) []byte {
		if s, ok := p.state(ref); ok && s.archived != 0 {
			return p.fill(b, p.accounts[p.caller].user)
		}
		return append(b, null...)
	}
	return []issueField{
		{id: "archiveddate", name: "Archived", schema: `{"type":"datetime","system":"archiveddate"}`, hidden: true, write: when},
		{id: "archivedby", name: "Archiver", schema: `{"type":"user","system":"archivedby"}`, hidden: true, write: by},
	}
}
