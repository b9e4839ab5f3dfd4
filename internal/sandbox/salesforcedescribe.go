package sandbox

import (
	"net/http"
	"time"
)

// entityDescription is what the list of objects and the description of one say of it.
type entityDescription struct {
	Activateable          bool              `json:"activateable"`
	AssociateEntityType   *string           `json:"associateEntityType"`
	AssociateParentEntity *string           `json:"associateParentEntity"`
	Createable            bool              `json:"createable"`
	Custom                bool              `json:"custom"`
	CustomSetting         bool              `json:"customSetting"`
	DeepCloneable         bool              `json:"deepCloneable"`
	Deletable             bool              `json:"deletable"`
	DeprecatedAndHidden   bool              `json:"deprecatedAndHidden"`
	FeedEnabled           bool              `json:"feedEnabled"`
	HasSubtypes           bool              `json:"hasSubtypes"`
	IsInterface           bool              `json:"isInterface"`
	IsSubtype             bool              `json:"isSubtype"`
	KeyPrefix             *string           `json:"keyPrefix"`
	Label                 string            `json:"label"`
	LabelPlural           string            `json:"labelPlural"`
	Layoutable            bool              `json:"layoutable"`
	Mergeable             bool              `json:"mergeable"`
	MruEnabled            bool              `json:"mruEnabled"`
	Name                  string            `json:"name"`
	Queryable             bool              `json:"queryable"`
	Replicateable         bool              `json:"replicateable"`
	Retrieveable          bool              `json:"retrieveable"`
	Searchable            bool              `json:"searchable"`
	Triggerable           bool              `json:"triggerable"`
	Undeletable           bool              `json:"undeletable"`
	Updateable            bool              `json:"updateable"`
	URLs                  map[string]string `json:"urls"`
}

func (o *sobject) describe(version string) entityDescription {
	base := "/services/data/" + version + "/sobjects/" + o.name
	everyday := o.is(createable)
	d := entityDescription{
		Createable: everyday, Custom: o.is(custom), Deletable: o.is(deletable), FeedEnabled: o.is(feedEnabled), KeyPrefix: &o.keyPrefix,
		Label: o.label, LabelPlural: o.plural, Layoutable: everyday, Mergeable: o.name == "Account" || o.name == "Contact" || o.name == "Lead",
		MruEnabled: everyday, Name: o.name, Queryable: o.is(queryable), Replicateable: o.is(replicateable), Retrieveable: o.is(retrieveable),
		Searchable: o.is(searchable), Triggerable: everyday, Undeletable: o.is(deletable), Updateable: o.is(updateable),
		URLs: map[string]string{"sobject": base, "describe": base + "/describe", "rowTemplate": base + "/{ID}"},
	}
	if o.shows != nil {
		d.KeyPrefix = nil // that of the object whose records it shows
	}
	return d
}

// unmodified answers a request that asks only for what has changed since a time. Objects never change.
func (g *org) unmodified(w http.ResponseWriter, r *http.Request) bool {
	since, err := http.ParseTime(r.Header.Get("If-Modified-Since"))
	w.Header().Set("Last-Modified", g.born.UTC().Format(http.TimeFormat))
	if err != nil || since.Before(g.born.Truncate(time.Second)) {
		return false
	}
	w.WriteHeader(http.StatusNotModified)
	return true
}

// describeGlobal lists the objects that the user sees.
func (g *org) describeGlobal(w http.ResponseWriter, r *http.Request, _ session) {
	if g.unmodified(w, r) {
		return
	}
	var list []entityDescription
	for _, o := range g.objects {
		if !o.is(hidden) {
			list = append(list, o.describe(r.PathValue("version")))
		}
	}
	writeValue(w, http.StatusOK, struct {
		Encoding     string              `json:"encoding"`
		MaxBatchSize int                 `json:"maxBatchSize"`
		SObjects     []entityDescription `json:"sobjects"`
	}{"UTF-8", 200, list})
}

// choiceDescription is a value of a picklist.
type choiceDescription struct {
	Active       bool    `json:"active"`
	DefaultValue bool    `json:"defaultValue"`
	Label        string  `json:"label"`
	ValidFor     *string `json:"validFor"`
	Value        string  `json:"value"`
}

// fieldDescription is all that a description says of a field.
type fieldDescription struct {
	Aggregatable                 bool                `json:"aggregatable"`
	AIPredictionField            bool                `json:"aiPredictionField"`
	AutoNumber                   bool                `json:"autoNumber"`
	ByteLength                   int                 `json:"byteLength"`
	Calculated                   bool                `json:"calculated"`
	CalculatedFormula            *string             `json:"calculatedFormula"`
	CascadeDelete                bool                `json:"cascadeDelete"`
	CaseSensitive                bool                `json:"caseSensitive"`
	CompoundFieldName            *string             `json:"compoundFieldName"`
	ControllerName               *string             `json:"controllerName"`
	Createable                   bool                `json:"createable"`
	Custom                       bool                `json:"custom"`
	DefaultValue                 *bool               `json:"defaultValue"`
	DefaultValueFormula          *string             `json:"defaultValueFormula"`
	DefaultedOnCreate            bool                `json:"defaultedOnCreate"`
	DependentPicklist            bool                `json:"dependentPicklist"`
	DeprecatedAndHidden          bool                `json:"deprecatedAndHidden"`
	Digits                       int                 `json:"digits"`
	DisplayLocationInDecimal     bool                `json:"displayLocationInDecimal"`
	Encrypted                    bool                `json:"encrypted"`
	ExternalID                   bool                `json:"externalId"`
	ExtraTypeInfo                *string             `json:"extraTypeInfo"`
	Filterable                   bool                `json:"filterable"`
	FilteredLookupInfo           *string             `json:"filteredLookupInfo"`
	FormulaTreatNullNumberAsZero bool                `json:"formulaTreatNullNumberAsZero"`
	Groupable                    bool                `json:"groupable"`
	HighScaleNumber              bool                `json:"highScaleNumber"`
	HTMLFormatted                bool                `json:"htmlFormatted"`
	IDLookup                     bool                `json:"idLookup"`
	InlineHelpText               *string             `json:"inlineHelpText"`
	Label                        string              `json:"label"`
	Length                       int                 `json:"length"`
	Mask                         *string             `json:"mask"`
	MaskType                     *string             `json:"maskType"`
	Name                         string              `json:"name"`
	NameField                    bool                `json:"nameField"`
	NamePointing                 bool                `json:"namePointing"`
	Nillable                     bool                `json:"nillable"`
	Permissionable               bool                `json:"permissionable"`
	PicklistValues               []choiceDescription `json:"picklistValues"`
	PolymorphicForeignKey        bool                `json:"polymorphicForeignKey"`
	Precision                    int                 `json:"precision"`
	QueryByDistance              bool                `json:"queryByDistance"`
	ReferenceTargetField         *string             `json:"referenceTargetField"`
	ReferenceTo                  []string            `json:"referenceTo"`
	RelationshipName             *string             `json:"relationshipName"`
	RelationshipOrder            *int                `json:"relationshipOrder"`
	RestrictedDelete             bool                `json:"restrictedDelete"`
	RestrictedPicklist           bool                `json:"restrictedPicklist"`
	Scale                        int                 `json:"scale"`
	SearchPrefilterable          bool                `json:"searchPrefilterable"`
	SOAPType                     string              `json:"soapType"`
	Sortable                     bool                `json:"sortable"`
	Type                         string              `json:"type"`
	Unique                       bool                `json:"unique"`
	Updateable                   bool                `json:"updateable"`
	WriteRequiresMasterRead      bool                `json:"writeRequiresMasterRead"`
}

// soapTypes are those of the kinds that are not xsd:string.
var soapTypes = map[string]string{
	"id": "tns:ID", "reference": "tns:ID", "boolean": "xsd:boolean", "int": "xsd:int", "double": "xsd:double", "currency": "xsd:double",
	"percent": "xsd:double", "date": "xsd:date", "datetime": "xsd:dateTime", "address": "urn:address", "anyType": "xsd:anyType",
}

func (f *sfield) describe() fieldDescription {
	d := fieldDescription{
		Aggregatable: f.is(sortable), AutoNumber: f.is(autoNumber), Createable: f.is(createable), Custom: f.is(custom),
		DefaultedOnCreate: f.is(autoNumber) || f.kind == "boolean" || !f.is(createable), ExternalID: f.is(externalID),
		Filterable: f.is(filterable), Groupable: f.is(groupable), HTMLFormatted: f.is(htmlText), IDLookup: f.is(idLookup), Label: f.label,
		Length: f.length, Name: f.name, NameField: f.is(nameField), NamePointing: len(f.referenceTo) > 1, Nillable: f.is(nillable),
		Permissionable: f.is(nillable) && f.is(updateable), PicklistValues: []choiceDescription{}, PolymorphicForeignKey: len(f.referenceTo) > 1,
		ReferenceTo: f.referenceTo, Scale: f.scale, SOAPType: "xsd:string", Sortable: f.is(sortable), Type: f.kind,
		Unique: f.is(unique), Updateable: f.is(updateable), CompoundFieldName: maybe(f.compound), RelationshipName: maybe(f.relationship),
	}
	d.ByteLength, d.Digits, d.Precision = f.measures()
	if f.kind == "boolean" {
		d.DefaultValue = new(bool)
	}
	if t, ok := soapTypes[f.kind]; ok {
		d.SOAPType = t
	}
	if d.ReferenceTo == nil {
		d.ReferenceTo = []string{}
	}
	for _, value := range f.picklist {
		d.PicklistValues = append(d.PicklistValues, choiceDescription{Active: true, Label: value, Value: value})
	}
	return d
}

// measures returns how many bytes the values have at most, and how many digits whole numbers and others have.
func (f *sfield) measures() (byteLength, digits, precision int) {
	switch {
	case f.isText() || f.kind == "anyType":
		return 3 * f.length, 0, 0
	case f.isID():
		return f.length, 0, 0
	case f.kind == "int":
		return 0, f.precision, 0
	}
	return 0, 0, f.precision
}

// maybe returns nil for an empty text, which JSON has as null.
func maybe(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// childRelationship is a reference of another object to the described one.
type childRelationship struct {
	CascadeDelete       bool     `json:"cascadeDelete"`
	ChildSObject        string   `json:"childSObject"`
	DeprecatedAndHidden bool     `json:"deprecatedAndHidden"`
	Field               string   `json:"field"`
	JunctionIDListNames []string `json:"junctionIdListNames"`
	JunctionReferenceTo []string `json:"junctionReferenceTo"`
	RelationshipName    *string  `json:"relationshipName"`
	RestrictedDelete    bool     `json:"restrictedDelete"`
}

func (g *org) childrenOf(o *sobject) []childRelationship {
	list := []childRelationship{}
	for _, child := range g.objects {
		for _, f := range child.fields {
			for _, to := range f.referenceTo {
				if to == o.name && !child.is(hidden) {
					list = append(list, childRelationship{
						ChildSObject: child.name, Field: f.name, CascadeDelete: f.name == "ParentId",
						JunctionIDListNames: []string{}, JunctionReferenceTo: []string{},
					})
				}
			}
		}
	}
	return list
}

// recordType is a kind of records of one object.
type recordType struct {
	Active                   bool              `json:"active"`
	Available                bool              `json:"available"`
	DefaultRecordTypeMapping bool              `json:"defaultRecordTypeMapping"`
	DeveloperName            string            `json:"developerName"`
	Master                   bool              `json:"master"`
	Name                     string            `json:"name"`
	RecordTypeID             string            `json:"recordTypeId"`
	URLs                     map[string]string `json:"urls"`
}

// describe tells all about one object.
func (g *org) describe(w http.ResponseWriter, r *http.Request, _ session) {
	o, ok := g.object(r.PathValue("object"))
	if !ok {
		writeRefusal(w, errNoResource)
		return
	}
	if g.unmodified(w, r) {
		return
	}
	fields := make([]fieldDescription, len(o.fields))
	for i, f := range o.fields {
		fields[i] = f.describe()
	}
	entity := o.describe(r.PathValue("version"))
	entity.URLs["uiDetailTemplate"] = hostOf(r) + salesforcePrefix + "/{ID}"
	entity.URLs["uiEditTemplate"] = hostOf(r) + salesforcePrefix + "/{ID}/e"
	entity.URLs["uiNewRecord"] = hostOf(r) + salesforcePrefix + "/" + o.keyPrefix + "/e"
	master := recordType{
		Active: true, Available: true, DefaultRecordTypeMapping: true, DeveloperName: "Master", Master: true, Name: "Master",
		RecordTypeID: "012000000000000AAA", URLs: map[string]string{},
	}
	writeValue(w, http.StatusOK, struct {
		ActionOverrides       []string            `json:"actionOverrides"`
		ChildRelationships    []childRelationship `json:"childRelationships"`
		CompactLayoutable     bool                `json:"compactLayoutable"`
		DefaultImplementation *string             `json:"defaultImplementation"`
		ExtendedBy            *string             `json:"extendedBy"`
		ExtendsInterfaces     *string             `json:"extendsInterfaces"`
		Fields                []fieldDescription  `json:"fields"`
		ImplementedBy         *string             `json:"implementedBy"`
		ImplementsInterfaces  *string             `json:"implementsInterfaces"`
		Listviewable          *bool               `json:"listviewable"`
		LookupLayoutable      *bool               `json:"lookupLayoutable"`
		NamedLayoutInfos      []string            `json:"namedLayoutInfos"`
		NetworkScopeFieldName *string             `json:"networkScopeFieldName"`
		RecordTypeInfos       []recordType        `json:"recordTypeInfos"`
		SearchLayoutable      bool                `json:"searchLayoutable"`
		SObjectDescribeOption string              `json:"sobjectDescribeOption"`
		SupportedScopes       []map[string]string `json:"supportedScopes"`
		entityDescription
	}{
		ActionOverrides: []string{}, ChildRelationships: g.childrenOf(o), CompactLayoutable: o.is(createable), Fields: fields,
		NamedLayoutInfos: []string{}, RecordTypeInfos: []recordType{master}, SearchLayoutable: o.is(searchable), SObjectDescribeOption: "FULL",
		SupportedScopes: []map[string]string{{"label": "All " + o.plural, "name": "everything"}}, entityDescription: entity,
	})
}

var errNoResource = &dataError{status: http.StatusNotFound, code: "NOT_FOUND", message: "The requested resource does not exist"}
