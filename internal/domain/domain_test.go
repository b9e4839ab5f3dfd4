package domain

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

func TestParseTenant(t *testing.T) {
	for in, want := range map[string]connectors.Code{
		"acme": "", "a": "", "A.b_c-9": "", strings.Repeat("x", 64): "",
		"": connectors.TenantRequired, strings.Repeat("x", 65): connectors.InvalidRequest, "a b": connectors.InvalidRequest,
		"a/b": connectors.InvalidRequest, "ä": connectors.InvalidRequest, "a\n": connectors.InvalidRequest, "a\x00": connectors.InvalidRequest,
	} {
		got, err := ParseTenant(in)
		if connectors.CodeOf(err) != want || err == nil && string(got) != in {
			t.Errorf("ParseTenant(%q) = %q, %v, want code %q", in, got, err, want)
		}
	}
}

func TestIDs(t *testing.T) {
	now := time.Now()
	var ids []string
	for i := range 1000 {
		ids = append(ids, NewID(ConnectionPrefix, now.Add(time.Duration(i)*time.Millisecond)))
	}
	if !slices.IsSorted(ids) {
		t.Error("ids do not sort by time")
	}
	var same []string
	for range 1000 {
		same = append(same, NewID(TokenPrefix, now))
	}
	if !slices.IsSorted(same) || len(slices.Compact(same)) != 1000 {
		t.Error("ids of one millisecond are not ordered and different")
	}
	for s, want := range map[string]bool{
		ids[0]: true, "con_": false, "con_x": false, strings.Replace(ids[0], "con", "tok", 1): false, ids[0] + "x": false,
		"con_" + strings.Repeat("u", 26): false, strings.ToUpper(ids[0]): false,
	} {
		if got := IsID(ConnectionPrefix, s); got != want {
			t.Errorf("IsID(%q) = %v, want %v", s, got, want)
		}
	}
}
