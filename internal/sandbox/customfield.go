package sandbox

// customFields are a site's own. Their values are of the kinds that break clients: numbers that no float64 holds,
// numbers in several notations, escapes that decode to the same character, documents, and nulls.
func customFields() []issueField {
	custom := func(id, name, kind, plugin string, write func(*pen, []byte, issueRef) []byte) issueField {
		return issueField{
			id: "customfield_" + id, name: name, write: write,
			schema: `{"type":"` + kind + `","custom":"com.atlassian.jira.plugin.system.customfieldtypes:` + plugin +
				`","customId":` + id + `}`,
		}
	}
	return []issueField{
		custom("10016", "Story point estimate", "number", "float", constantOf(`1.0`, `2`, `0.5`, null, `13.00`)),
		custom("10019", "Rank", "any", "gh-lexo-rank", templated(`"0|i0{{number}}:"`)),
		custom("10020", "Sprint", "array", "gh-sprint", templated(
			`[{"id":{{number}},"name":"Sprint {{number}} {{word}}","state":"closed","boardId":1,"goal":"{{text}}"}]`)),
		custom("10030", "External id", "number", "float",
			constantOf(`9007199254740993`, `-9223372036854775808`, `18446744073709551615`, `12345678901234567890.123456789`)),
		custom("10031", "Amount", "number", "float", constantOf(`1E+2`, `1e-7`, `0.1`, `-0`, `100000000000000000000`, null)),
		custom("10032", "Root cause", "string", "textarea", func(p *pen, b []byte, _ issueRef) []byte {
			if p.rng.oneIn(3) {
				return append(b, null...)
			}
			return p.document(b, 1+p.rng.below(3))
		}),
		custom("10033", "Severity", "option", "select", templated(
			`{"self":"{{base}}/rest/api/3/customFieldOption/10020","value":"{{word}}","id":"10020","child":{"value":"{{word}}","id":"10021"}}`)),
		custom("10034", "Reviewer", "user", "userpicker", writeAssignee),
		custom("10035", "Started at", "datetime", "datetime", writeCreated),
		custom("10036", "Escapes", "string", "textfield",
			constantOf(`"\u00e9\/\u65e5\ud83d\ude00"`, `"\ud83d alone"`, `""`, `"<\/script>"`)),
		custom("10037", "Empty", "any", "textfield", writeNull),
		custom("10038", "Nested", "any", "object", templated(
			`{"z":1,"a":{"list":[[],{},[{"deep":[null,true,false,{{number}}]}]],"":"empty name"},"Z":2}`)),
	}
}

func constantOf(values ...string) func(*pen, []byte, issueRef) []byte {
	return func(p *pen, b []byte, _ issueRef) []byte { return append(b, p.pick(values)...) }
}
