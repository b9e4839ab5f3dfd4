package sandbox

import (
	"math"
)

// Sets of what may be done with objects.
const (
	readable = queryable | retrieveable
	everyday = readable | replicateable | searchable | createable | updateable | deletable
)

var (
	industries   = []string{"Agriculture", "Banking", "Education", "Technology", "Other"}
	caseStatuses = []string{"New", "Working", "Escalated", "Closed"}
	stages       = []string{"Prospecting", "Qualification", "Negotiation/Review", "Closed Won", "Closed Lost"}
	priorities   = []string{"High", "Medium", "Low"}
)

// newObject makes an object and completes its fields with those that all records have.
func newObject(name, keyPrefix string, flags trait, fields ...*sfield) *sobject {
	o := &sobject{name: name, label: labelOf(name), keyPrefix: keyPrefix, flags: flags}
	o.plural = o.label + "s"
	if last := len(o.label) - 1; o.label[last] == 'y' {
		o.plural = o.label[:last] + "ies"
	}
	o.fields = append([]*sfield{idField()}, fields...)
	return o
}

func idField() *sfield {
	return newField("id", "Id", longID, func(v *view) datum { return textDatum(v.id()) },
		readOnly, without(nillable), with(idLookup|computed), labeled("Record ID"), ordered(byID))
}

// audited are the fields that tell who made a record and when.
func audited() []*sfield {
	return []*sfield{
		newField("boolean", "IsDeleted", 0, func(v *view) datum { return boolDatum(v.deleted()) }, readOnly, with(computed), labeled("Deleted")),
		createdDate(), byUser("CreatedById", "CreatedBy"), stampField("LastModifiedDate"), byUser("LastModifiedById", "LastModifiedBy"),
		stampField("SystemModstamp"),
	}
}

func createdDate() *sfield {
	return newField("datetime", "CreatedDate", 0, func(v *view) datum { return timeDatum(v.object.table.created(v.row)) },
		readOnly, without(nillable), ordered(byID))
}

func stampField(name string) *sfield {
	return newField("datetime", name, 0, func(v *view) datum { return timeDatum(v.object.table.stamp(v.row)) },
		readOnly, without(nillable), ordered(byStamp))
}

func byUser(name, relationship string) *sfield {
	return filled(reference(name, relationship, nil, []string{"User"}, readOnly, without(nillable)), toRow("User", 0))
}

func owner() *sfield {
	return filled(reference("OwnerId", "Owner", nil, []string{"User"}, without(nillable)), toRow("User", 0))
}

// filling makes a field whose fill needs the field.
func filling(kind, name string, length int, fill func(f *sfield) func(v *view) datum, options ...fieldOption) *sfield {
	return filled(newField(kind, name, length, nil, options...), fill)
}

func longFilling(name string, length int, options ...fieldOption) *sfield {
	return filled(longText(name, length, nil, options...), sentenceFill)
}

// address is the parts of an address and the whole.
func address(prefix string) []*sfield {
	part := partOf(prefix + "Address")
	return []*sfield{
		filling("textarea", prefix+"Street", 255, pickFill([]string{"Hauptstraße 1", "1 Infinite Loop\nBuilding \"B\"", "4-2-8 芝公園"}, 5), part),
		filling("string", prefix+"City", 40, pickFill(cities, 4), part),
		filling("string", prefix+"PostalCode", 20, pickFill([]string{"10115", "8001", "01310-100", "105-0011"}, 4), part),
		filling("string", prefix+"Country", 80, pickFill(countries, 4), part),
		newField("address", prefix+"Address", 0, addressFill(prefix)),
	}
}

// person is the parts of somebody's name and the whole.
func person() []*sfield {
	return []*sfield{
		filling("string", "LastName", 80, pickFill(lastNames, 0), partOf("Name"), without(nillable)),
		filling("string", "FirstName", 40, pickFill(firstNames, 7), partOf("Name")),
		newField("string", "Name", 121, joined("FirstName", "LastName"), readOnly, with(nameField|computed), without(nillable), labeled("Full Name")),
	}
}

func email() *sfield {
	return filled(newField("email", "Email", 80, nil), func(f *sfield) func(v *view) datum {
		return func(v *view) datum {
			if r := v.chance(f); r.oneIn(5) {
				return nothing
			}
			return numbered("person%d@example.com")(v)
		}
	})
}

func phone() *sfield {
	return filling("phone", "Phone", 40, pickFill([]string{"(415) 555-1212", "+49 30 901820", "+81-3-3433-5111"}, 4))
}

func together(lists ...[]*sfield) []*sfield {
	var all []*sfield
	for _, list := range lists {
		all = append(all, list...)
	}
	return all
}

func accountObject() *sobject {
	name := filled(newField("string", "Name", 255, nil, with(nameField), without(nillable), labeled("Account Name")), func(f *sfield) func(v *view) datum {
		return func(v *view) datum {
			r := v.chance(f)
			return textDatum(companies[r.below(len(companies))] + " " + suffixes[r.below(len(suffixes))])
		}
	})
	return newObject("Account", "001", everyday|feedEnabled, together([]*sfield{
		name, picklist("Type", []string{"Customer - Direct", "Prospect", "Other"}),
		filled(reference("ParentId", "Parent", nil, []string{"Account"}), toRow("Account", 2)),
	}, address("Billing"), []*sfield{
		phone(), filling("url", "Website", 255, pickFill([]string{"https://example.com/a?b=1&c=%20", "www.example.org"}, 3)),
		picklist("Industry", industries), filling("currency", "AnnualRevenue", 0, amountFill(1_000_000_000, false), digits(18, 0)),
		filling("int", "NumberOfEmployees", 0, amountFill(90_000, false), digits(8, 0)), longFilling("Description", 32_000), owner(),
	}, audited())...)
}

func contactObject() *sobject {
	return newObject("Contact", "003", everyday|feedEnabled, together([]*sfield{
		filled(reference("AccountId", "Account", nil, []string{"Account"}), toRow("Account", 9)),
	}, person(), address("Mailing"), []*sfield{
		phone(), email(), filling("string", "Title", 128, pickFill([]string{"CEO", "VP, R&D", "Buchhalter*in", "部長"}, 4)),
		longFilling("Description", 32_000), owner(),
	}, audited())...)
}

func caseObject() *sobject {
	return newObject("Case", "500", everyday|feedEnabled, together([]*sfield{
		newField("string", "CaseNumber", 30, numbered("%08d"), readOnly, with(nameField|autoNumber|computed|idLookup), without(nillable)),
		filled(reference("ContactId", "Contact", nil, []string{"Contact"}), toRow("Contact", 6)),
		filled(reference("AccountId", "Account", nil, []string{"Account"}), toRow("Account", 9)),
		filling("string", "Subject", 255, subjectFill), picklist("Status", caseStatuses), picklist("Priority", priorities),
		picklist("Origin", []string{"Email", "Phone", "Web"}),
		newField("boolean", "IsClosed", 0, func(v *view) datum { return boolDatum(v.of("Status").text == "Closed") }, readOnly, with(computed), labeled("Closed")),
		filling("boolean", "IsEscalated", 0, truthFill(9), labeled("Escalated")), longFilling("Description", 32_000), owner(),
	}, audited())...)
}

func opportunityObject() *sobject {
	return newObject("Opportunity", "006", everyday|feedEnabled, together([]*sfield{
		filled(reference("AccountId", "Account", nil, []string{"Account"}), toRow("Account", 9)),
		filling("string", "Name", 120, subjectFill, with(nameField), without(nillable)), longFilling("Description", 32_000),
		withoutBlank(picklist("StageName", stages)), filling("currency", "Amount", 0, amountFill(500_000, true), digits(18, 2)),
		filling("percent", "Probability", 0, amountFill(100, false), digits(3, 0)), filling("date", "CloseDate", 0, dateFill, without(nillable)),
		newField("boolean", "IsClosed", 0, func(v *view) datum {
			return boolDatum(len(v.of("StageName").text) > 6 && v.of("StageName").text[:6] == "Closed")
		},
			readOnly, with(computed), labeled("Closed")), owner(),
	}, audited())...)
}

// withoutBlank makes a field that has to be filled in.
func withoutBlank(f *sfield) *sfield {
	f.flags &^= nillable
	return f
}

func leadObject() *sobject {
	return newObject("Lead", "00Q", everyday|feedEnabled, together(person(), []*sfield{
		filling("string", "Company", 255, pickFill(companies, 0), without(nillable)), phone(), email(),
		picklist("LeadSource", []string{"Web", "Partner", "Other"}), withoutBlank(picklist("Status", []string{"Open - Not Contacted", "Working - Contacted"})),
		filling("boolean", "IsConverted", 0, truthFill(10), readOnly, labeled("Converted")), longFilling("Description", 32_000), owner(),
	}, audited())...)
}

func taskObject() *sobject {
	return newObject("Task", "00T", everyday, together([]*sfield{
		filled(reference("WhoId", "Who", nil, []string{"Contact", "Lead"}), toAny([]string{"Contact", "Lead"}, 3)),
		filled(reference("WhatId", "What", nil, []string{"Account", "Opportunity", "Case"}), toAny([]string{"Account", "Opportunity", "Case"}, 4)),
		filling("combobox", "Subject", 255, subjectFill, with(nameField)), filling("date", "ActivityDate", 0, dateFill, labeled("Due Date Only")),
		picklist("Status", []string{"Not Started", "In Progress", "Completed"}), picklist("Priority", priorities),
		longFilling("Description", 32_000), owner(),
	}, audited())...)
}

func userObject() *sobject {
	who := func(get func(v *view) string) func(v *view) datum {
		return func(v *view) datum { return textDatum(get(v)) }
	}
	return newObject("User", "005", readable|replicateable|updateable|searchable|feedEnabled, together([]*sfield{
		newField("string", "Username", 80, who(func(v *view) string { return v.username(int(v.row)) }), without(nillable)),
		newField("string", "LastName", 80, who(func(v *view) string { return v.people[v.row].name }), partOf("Name"), without(nillable)),
		newField("string", "FirstName", 40, always(nothing), partOf("Name")),
		newField("string", "Name", 121, joined("FirstName", "LastName"), readOnly, with(nameField|computed), without(nillable), labeled("Full Name")),
		newField("email", "Email", 128, who(func(v *view) string { return mailOf(int(v.row), v.people[v.row]) }), without(nillable)),
		newField("boolean", "IsActive", 0, func(v *view) datum { return boolDatum(v.people[v.row].active) }, labeled("Active")),
		newField("picklist", "TimeZoneSidKey", 40, who(func(v *view) string { return v.people[v.row].zone }), without(nillable)),
	}, withoutField("IsDeleted", audited()))...)
}

func withoutField(name string, fields []*sfield) []*sfield {
	var rest []*sfield
	for _, f := range fields {
		if f.name != name {
			rest = append(rest, f)
		}
	}
	return rest
}

func invoiceObject() *sobject {
	o := newObject("Invoice__c", "a00", everyday|feedEnabled|custom, together([]*sfield{
		owner(), newField("string", "Name", 80, numbered("INV-%08d"), readOnly, with(nameField|autoNumber|computed|idLookup), without(nillable), labeled("Invoice Number")),
		filled(reference("Account__c", "Account__r", nil, []string{"Account"}), toRow("Account", 9)),
		filling("currency", "Amount__c", 0, amountFill(100_000, true), digits(18, 2)),
		filling("double", "Quantity__c", 0, amountFill(1_000, true), digits(10, 2)), filling("date", "Due_Date__c", 0, dateFill),
		filling("boolean", "Paid__c", 0, truthFill(2)), picklist("Status__c", []string{"Draft", "Sent", "Overdue"}),
		filling("multipicklist", "Tags__c", 4_099, pickFill([]string{"one", "two;three", "one;two;four six"}, 3)),
		newField("string", "External_Id__c", 80, numbered("ext/%d #ü"), with(externalID|unique|idLookup)),
		longFilling("Notes__c", 32_768, with(htmlText)),
	}, audited())...)
	o.label, o.plural = "Invoice", "Invoices"
	return o
}

// historyObject has no SystemModstamp.
func historyObject() *sobject {
	changed := []string{"Name", "Owner", "Industry", "Phone"}
	return newObject("AccountHistory", "017", readable|replicateable, together([]*sfield{
		withField("IsDeleted"),
		filled(reference("AccountId", "Account", nil, []string{"Account"}, readOnly, without(nillable)), toRow("Account", 0)),
		byUser("CreatedById", "CreatedBy"), createdDate(), readOnlyField(picklist("Field", changed)),
		filling("anyType", "OldValue", 255, pickFill(companies, 3), readOnly, without(filterable|sortable|groupable)),
		filling("anyType", "NewValue", 255, pickFill(companies, 3), readOnly, without(filterable|sortable|groupable)),
	})...)
}

func readOnlyField(f *sfield) *sfield {
	readOnly(f)
	return f
}

func withField(name string) *sfield {
	for _, f := range audited() {
		if f.name == name {
			return f
		}
	}
	panic("sandbox: no such field: " + name)
}

// organizationObject has one record.
func organizationObject() *sobject {
	return newObject("Organization", "00D", readable, together([]*sfield{
		newField("string", "Name", 80, always(textDatum(orgName)), readOnly, with(nameField), without(nillable)),
		newField("picklist", "OrganizationType", 40, always(textDatum("Developer Edition")), readOnly),
		newField("boolean", "IsSandbox", 0, always(boolDatum(false)), readOnly),
		newField("string", "InstanceName", 5, always(textDatum("NA1")), readOnly),
	}, withoutField("IsDeleted", audited()))...)
}

// Objects that cannot be read: by nobody, by this user, and not even seen.
func unreadableObjects() []*sobject {
	name := func() *sfield { return filling("string", "Name", 80, subjectFill, with(nameField)) }
	history := newObject("ActivityHistory", "007", 0, together([]*sfield{filling("string", "Subject", 255, subjectFill)}, audited())...)
	contract := newObject("Contract", "800", everyday|denied, together([]*sfield{name()}, audited())...)
	salary := newObject("Salary__c", "a01", everyday|hidden|custom, together([]*sfield{name()}, audited())...)
	return []*sobject{history, contract, salary}
}

// clampRows keeps products of counts in bounds.
func clampRows(n int64) int64 { return min(max(n, 0), math.MaxInt32) }
