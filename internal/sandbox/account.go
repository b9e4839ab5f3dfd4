package sandbox

import (
	"fmt"
	"net/url"
	"slices"
)

// account is one Atlassian account.
type account struct {
	id     string
	name   string
	email  string // empty when the profile hides it, as most do
	kind   string
	zone   string
	active bool
	user   fragment // its short JSON, which names the site
}

// newAccounts returns the people of the site. The first is the caller.
func newAccounts(o Options) []account {
	people := []account{
		{name: "You (sandbox)", email: o.Email, kind: "atlassian", zone: o.AccountTimeZone, active: true},
		{name: "Mia Krystof", kind: "atlassian", zone: "Australia/Sydney", active: true},
		{name: "Zoë Brontë-Müller", kind: "atlassian", zone: "Europe/Zurich", active: true},
		{name: "山田 太郎", kind: "atlassian", zone: "Asia/Tokyo", active: true},
		{name: "Nguyễn Thị Ánh", kind: "atlassian", zone: "Asia/Ho_Chi_Minh", active: true},
		{name: "محمد العلي", kind: "atlassian", zone: "Asia/Riyadh", active: true},
		{name: "Seán O'Neill \"Ops\"", email: "sean@example.com", kind: "atlassian", zone: "Europe/Dublin", active: true},
		{name: "Former user", kind: "atlassian", zone: "Etc/GMT", active: false},
		{name: "Automation for Jira", kind: "app", zone: "Etc/GMT", active: true},
		{name: "Kunde 🚀 GmbH", kind: "customer", zone: "Europe/Berlin", active: true},
		{name: "дмитрий_иванов", kind: "atlassian", zone: "Europe/Belgrade", active: true},
		{name: "x", kind: "atlassian", zone: "America/St_Johns", active: true},
	}
	for i := range people {
		people[i].id = accountID(o.Seed, i)
		people[i].user = newFragment(people[i].json())
	}
	return people
}

// whoConsents returns the accounts that can log in to consent to an app. The first is the caller.
func whoConsents(everyone []account) []account {
	return slices.DeleteFunc(slices.Clone(everyone), func(a account) bool { return a.kind != "atlassian" || !a.active })
}

// accountID alternates between the two forms that Jira has: 24 hex digits and a prefixed UUID.
func accountID(seed uint64, i int) string {
	r := newRNG(seed, domainProject, int64(-1-i))
	if i%2 == 0 {
		return fmt.Sprintf("5b10%020x", r.next())
	}
	return "712020:" + string((&pen{rng: r}).uuid(nil))
}

func (a account) json() string {
	b := []byte(`{"self":"{{base}}/rest/api/3/user?accountId=` + url.QueryEscape(a.id) + `","accountId":"` + a.id + `"`)
	if a.email != "" {
		b = append(b, `,"emailAddress":`...)
		b = appendString(b, a.email)
	}
	b = append(b, `,"avatarUrls":{`...)
	for i, size := range []string{"48", "24", "16", "32"} {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `"`+size+`x`+size+`":"{{base}}/secure/useravatar?size=`+size+`"`...)
	}
	b = append(b, `},"displayName":`...)
	b = appendString(b, a.name)
	b = appendBool(b, `,"active":`, a.active)
	b = append(b, `,"timeZone":"`+a.zone+`","accountType":"`+a.kind+`"}`...)
	return string(b)
}
