package salesforce

import (
	"net/http"
	"testing"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/connectortest"
)

func TestConformance(t *testing.T) {
	for _, method := range Definition.AuthMethods() {
		t.Run(method, func(t *testing.T) { connectortest.Run(t, suite(method)) })
	}
}

func suite(method string) connectortest.Suite {
	healthy, empty, repeats, hiding := busy(), busy(), busy(), busy()
	hiding.objects[feedAnswers].queryable = false
	healthy.batch, empty.emptyFirst, repeats.ignoreWhere = 3, true, true
	return connectortest.Suite{
		Definition: &Definition,
		Method:     method,
		Config: func(_, _ string) map[string]any {
			return map[string]any{
				"auth_method": connectors.MethodOAuth, "instance_url": "https://my-instance.my.salesforce.com", "access_token": token,
				"refresh_token": "5Aep861TSESvWeug_xvFHRBTTbf_YrTWgEyjBJrfZPMQ", "client_secret": "client-secret-of-the-app",
			}
		},
		Handler:          healthy,
		Sites:            []string{"00Dx0000000BV7zEAH"},
		Containers:       []string{"Account", "Case", caseComments, "Empty__c", feedAnswers, feedPosts},
		Items:            map[string][]string{"Account": healthy.objects["Account"].ids(), "Case": healthy.objects["Case"].ids(), "Empty__c": {}},
		Comments:         map[string][]string{fakeID("500", 1): fakeComments(), fakeID("500", 2): {}, fakeID("001", 1): {}},
		Commented:        map[string][]string{"Account": {fakeID("001", 2), fakeID("001", 3), fakeID("001", 4)}, "Case": {fakeID("500", 1)}, "Empty__c": {}},
		MissingContainer: "Nope__c",
		MissingItem:      fakeID("500", 999),
		HostileIDs: []string{
			"Account WHERE", "Account, Case", "Account/describe", `500000000000001' OR Id != '`, `500000000000001AA'`, "500000000000001AAB",
		},
		EmptyPage:   map[string]http.Handler{"items": empty, "comments": empty, "commented": empty},
		RepeatToken: map[string]http.Handler{"items": repeats, "comments": repeats, "commented": repeats},
		Gaps:        map[string]http.Handler{"commented": hiding},
		Query:       "SELECT Id, Name FROM Account WHERE Industry = 'Banking'",
		QueryItems:  []string{fakeID("001", 1), fakeID("001", 3), fakeID("001", 5), fakeID("001", 7)},
		Skip: []connectortest.Skip{
			{Rows: "containers/(empty_page|repeated_token)", Reason: "Salesforce gives all objects in one answer, without pages or tokens"},
		},
	}
}

// busy is an org with more posts on accounts than a page of changed comments has, and an account with answers alone.
func busy() *fake {
	f := newFake()
	f.postBatch = connectors.MaxLimit / 2
	for i := range connectors.MaxLimit + 10 {
		f.objects[feedPosts].add(i+100, fakeStamp, map[string]any{"ParentId": fakeID("001", 2+i%2), "Type": "TextPost"})
	}
	f.objects[feedAnswers].add(100, fakeStamp, map[string]any{"ParentId": fakeID("001", 4), "FeedItemId": fakeID("0D5", 100)})
	return f
}
