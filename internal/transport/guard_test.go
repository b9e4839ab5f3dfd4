package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

func mustGuard(t *testing.T, allow ...string) *Guard {
	t.Helper()
	g, err := NewGuard(allow, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.CloseIdleConnections)
	g.names = &names{}
	return g
}

// names is a resolver with answers of its own, a different one for each time it is asked.
type names struct {
	mu      sync.Mutex
	answers map[string][][]string
	asked   []string
}

func (n *names) LookupNetIP(_ context.Context, network, host string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked = append(n.asked, network+" "+host)
	rest := n.answers[host]
	if len(rest) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	if len(rest) > 1 {
		n.answers[host] = rest[1:]
	}
	var addrs []netip.Addr
	for _, s := range rest[0] {
		addrs = append(addrs, netip.MustParseAddr(s))
	}
	return addrs, nil
}

// dialled makes the guard note the addresses that it would connect to, and connect to none.
func dialled(g *Guard) *[]string {
	var got []string
	var mu sync.Mutex
	g.connectTo = func(_ context.Context, network, address string) (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, network+" "+address)
		return nil, errors.New("not connected in this test")
	}
	return &got
}

// badAddresses are destinations that must be refused, however they are written.
var badAddresses = map[string]string{
	"loopback":                     "127.0.0.1",
	"loopback, other":              "127.8.9.10",
	"loopback in IPv6":             "::1",
	"unspecified":                  "0.0.0.0",
	"unspecified in IPv6":          "::",
	"this network":                 "0.1.2.3",
	"private 10":                   "10.0.0.1",
	"private 172":                  "172.16.0.1",
	"private 192":                  "192.168.1.1",
	"unique local":                 "fc00::1",
	"unique local, assigned":       "fd12:3456::1",
	"carrier-grade NAT":            "100.64.0.1",
	"link-local":                   "169.254.1.1",
	"link-local in IPv6":           "fe80::1",
	"link-local with zone":         "fe80::1%lo",
	"public with zone":             "2606:2800:220:1::1%eth0",
	"site-local":                   "fec0::1",
	"metadata":                     "169.254.169.254",
	"metadata of containers":       "169.254.170.2",
	"metadata of EC2 in IPv6":      "fd00:ec2::254",
	"metadata of Google in IPv6":   "fd20:ce::254",
	"metadata of Alibaba":          "100.100.100.200",
	"metadata of Azure":            "168.63.129.16",
	"metadata of Oracle":           "192.0.0.192",
	"multicast":                    "224.0.0.1",
	"multicast in IPv6":            "ff02::1",
	"broadcast":                    "255.255.255.255",
	"reserved":                     "240.0.0.1",
	"documentation":                "192.0.2.1",
	"benchmark":                    "198.18.0.1",
	"mapped loopback":              "::ffff:127.0.0.1",
	"mapped in hex":                "::ffff:7f00:1",
	"mapped private":               "::ffff:10.0.0.1",
	"mapped metadata":              "::ffff:169.254.169.254",
	"compatible loopback":          "::127.0.0.1",
	"NAT64 of loopback":            "64:ff9b::127.0.0.1",
	"NAT64 of metadata":            "64:ff9b::a9fe:a9fe",
	"NAT64, local":                 "64:ff9b:1::a00:1",
	"6to4 of loopback":             "2002:7f00:1::",
	"6to4 of private":              "2002:a00:1::1",
	"Teredo":                       "2001:0:53aa:64c::1",
	"documentation in IPv6":        "2001:db8::1",
	"discard-only":                 "100::1",
	"octal":                        "0177.0.0.1",
	"octal, all":                   "0177.0000.0000.0001",
	"hexadecimal":                  "0x7f.0.0.1",
	"hexadecimal in one":           "0x7f000001",
	"hexadecimal, empty":           "foo.0x",
	"decimal in one":               "2130706433",
	"short":                        "127.1",
	"too long":                     "127.0.0.1.1",
	"metadata in decimal":          "2852039166",
	"full-width digits":            "１２７.0.0.1",
	"full-width dot":               "127。0.0.1",
	"circled digits":               "①②⑦.0.0.1",
	"localhost":                    "localhost",
	"localhost with root dot":      "localhost.",
	"LOCALHOST":                    "LOCALHOST",
	"name below localhost":         "app.localhost",
	"metadata by name":             "metadata.google.internal",
	"metadata by name, in capital": "Metadata.Google.Internal.",
	"metadata, short":              "metadata",
	"metadata, below":              "x.metadata.google.internal",
	"empty":                        "",
	"dots":                         "..",
	"leading dot":                  ".example",
	"root":                         ".",
	"space":                        "a b",
	"NUL":                          "a\x00b",
	"slash":                        "a/b",
	"user":                         "user@127.0.0.1",
	"very long":                    strings.Repeat("a.", 200) + "example",
}

func TestGuardRefusesBadAddresses(t *testing.T) {
	for name, host := range badAddresses {
		t.Run(name, func(t *testing.T) {
			g := mustGuard(t)
			got := dialled(g)
			for _, network := range []string{"tcp", "tcp4", "tcp6"} {
				for _, port := range []string{"443", "80", "5432"} {
					_, err := g.DialContext(t.Context(), network, net.JoinHostPort(host, port))
					e := connectors.AsError(err)
					if e == nil || e.Code != connectors.InvalidRequest || e.Details["fields"] == nil {
						t.Errorf("%s %s: got %v, want invalid_request", network, port, err)
					}
				}
			}
			if len(*got) > 0 {
				t.Errorf("it dialled %v", *got)
			}
		})
	}
}

func TestGuardRefusesNamesThatLeadToBadAddresses(t *testing.T) {
	for name, host := range badAddresses {
		addr, err := netip.ParseAddr(host)
		if err != nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			g := mustGuard(t)
			g.names = &names{answers: map[string][][]string{"rebind.example": {{addr.String()}}}}
			got := dialled(g)
			_, err := g.DialContext(t.Context(), "tcp", "rebind.example:443")
			if connectors.CodeOf(err) != connectors.InvalidRequest || len(*got) > 0 {
				t.Errorf("got %v, dialled %v; want invalid_request", err, *got)
			}
			if strings.Contains(err.Error(), addr.String()) {
				t.Errorf("the message tells what the name leads to: %v", err)
			}
		})
	}
}

func TestGuardNeverCallsSomeAddressesEvenWhenAllowed(t *testing.T) {
	for _, name := range []string{
		"unspecified", "link-local", "link-local in IPv6", "link-local with zone", "metadata", "metadata of containers",
		"metadata of EC2 in IPv6", "metadata of Google in IPv6", "metadata of Alibaba", "metadata of Azure", "metadata of Oracle",
		"multicast", "multicast in IPv6", "broadcast", "mapped metadata", "NAT64 of loopback", "NAT64 of metadata",
		"6to4 of private", "Teredo",
	} {
		t.Run(name, func(t *testing.T) {
			host := badAddresses[name]
			if _, err := NewGuard([]string{host}, nil); connectors.CodeOf(err) != connectors.InvalidRequest {
				t.Errorf("allowing it: got %v, want invalid_request", err)
			}
			g := mustGuard(t, "jira.corp")
			g.names = &names{answers: map[string][][]string{"jira.corp": {{host}}}}
			got := dialled(g)
			if _, err := g.DialContext(t.Context(), "tcp", "jira.corp:443"); connectors.CodeOf(err) != connectors.InvalidRequest || len(*got) > 0 {
				t.Errorf("got %v, dialled %v; want invalid_request", err, *got)
			}
		})
	}
	for _, name := range []string{"metadata.google.internal", "metadata", "instance-data.ec2.internal:80"} {
		if _, err := NewGuard([]string{name}, nil); connectors.CodeOf(err) != connectors.InvalidRequest {
			t.Errorf("allowing %s: got %v, want invalid_request", name, err)
		}
	}
}

func TestGuardDialsWhatItChecked(t *testing.T) {
	tests := []struct {
		name    string
		allow   []string
		network string
		address string
		found   [][]string
		want    []string
	}{
		{"public address", nil, "tcp", "93.184.216.34:443", nil, []string{"tcp 93.184.216.34:443"}},
		{"any port", nil, "tcp", "93.184.216.34:5432", nil, []string{"tcp 93.184.216.34:5432"}},
		{"public in IPv6", nil, "tcp", "[2606:2800:220:1::1]:443", nil, []string{"tcp [2606:2800:220:1::1]:443"}},
		{"public, mapped", nil, "tcp", "[::ffff:93.184.216.34]:443", nil, []string{"tcp 93.184.216.34:443"}},
		{"public name", nil, "tcp", "h.example:443", [][]string{{"93.184.216.34"}}, []string{"tcp 93.184.216.34:443"}},
		{"name in capitals with root dot", nil, "tcp", "H.Example.:443", [][]string{{"93.184.216.34"}}, []string{"tcp 93.184.216.34:443"}},
		{
			"a name that changes its mind", nil, "tcp", "h.example:443",
			[][]string{{"93.184.216.34"}, {"127.0.0.1"}},
			[]string{"tcp 93.184.216.34:443"},
		},
		{
			"good among bad", nil, "tcp", "h.example:443",
			[][]string{{"127.0.0.1", "93.184.216.34", "169.254.169.254"}},
			[]string{"tcp 93.184.216.34:443"},
		},
		{
			"each address is tried", nil, "tcp", "h.example:443",
			[][]string{{"2606:2800:220:1::1", "93.184.216.34"}},
			[]string{"tcp [2606:2800:220:1::1]:443", "tcp 93.184.216.34:443"},
		},
		{"private, allowed by name", []string{"jira.corp"}, "tcp", "jira.corp:8443", [][]string{{"10.1.2.3"}}, []string{"tcp 10.1.2.3:8443"}},
		{"private, allowed with port", []string{"Jira.Corp:8443"}, "tcp", "jira.corp:8443", [][]string{{"10.1.2.3"}}, []string{"tcp 10.1.2.3:8443"}},
		{"private, other port allowed", []string{"jira.corp:8443"}, "tcp", "jira.corp:443", [][]string{{"10.1.2.3"}}, nil},
		{"private, other name allowed", []string{"jira.corp"}, "tcp", "x.jira.corp:443", [][]string{{"10.1.2.3"}}, nil},
		{"private, its address allowed", []string{"10.1.2.3"}, "tcp", "jira.corp:443", [][]string{{"10.1.2.3"}}, nil},
		{"unique local, allowed", []string{"[fd12::1]:443"}, "tcp", "[fd12::1]:443", nil, []string{"tcp [fd12::1]:443"}},
		{"carrier-grade NAT, allowed", []string{"jira.corp"}, "tcp", "jira.corp:443", [][]string{{"100.64.0.9"}}, []string{"tcp 100.64.0.9:443"}},
		{"loopback, allowed", []string{"127.0.0.1:8090"}, "tcp", "127.0.0.1:8090", nil, []string{"tcp 127.0.0.1:8090"}},
		{"IPv6 loopback, allowed", []string{"::1"}, "tcp6", "[::1]:8090", nil, []string{"tcp6 [::1]:8090"}},
		{"loopback mapped, allowed", []string{"127.0.0.1"}, "tcp", "[::ffff:127.0.0.1]:8090", nil, []string{"tcp 127.0.0.1:8090"}},
		{"no port", nil, "tcp", "h.example", nil, nil},
		{"port by name", nil, "tcp", "h.example:https", nil, nil},
		{"port 0", nil, "tcp", "h.example:0", nil, nil},
		{"socket", nil, "unix", "/run/postgresql/.s.PGSQL.5432", nil, nil},
		{"UDP", nil, "udp", "h.example:53", nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := mustGuard(t, tt.allow...)
			found := map[string][][]string{}
			for _, name := range []string{"h.example", "jira.corp", "x.jira.corp"} {
				found[name] = tt.found
			}
			g.names = &names{answers: found}
			got := dialled(g)
			_, err := g.DialContext(t.Context(), tt.network, tt.address)
			if fmt.Sprint(*got) != fmt.Sprint(tt.want) {
				t.Errorf("dialled %v, want %v", *got, tt.want)
			}
			if refused := connectors.CodeOf(err) == connectors.InvalidRequest; refused != (tt.want == nil) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestGuardTriesBoundedlyManyAddresses(t *testing.T) {
	g := mustGuard(t)
	var many []string
	for i := range 100 {
		many = append(many, fmt.Sprintf("93.184.216.%d", i+1))
	}
	g.names = &names{answers: map[string][][]string{"h.example": {many}}}
	got := dialled(g)
	_, _ = g.DialContext(t.Context(), "tcp", "h.example:443")
	if len(*got) != maxAddresses {
		t.Errorf("tried %d addresses, want %d", len(*got), maxAddresses)
	}
}

func TestGuardStopsDiallingWhenCancelled(t *testing.T) {
	g := mustGuard(t)
	g.names = &names{answers: map[string][][]string{"h.example": {{"93.184.216.34", "93.184.216.35"}}}}
	ctx, cancel := context.WithCancel(t.Context())
	dials := 0
	g.connectTo = func(ctx context.Context, _, _ string) (net.Conn, error) {
		dials++
		cancel()
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if _, err := g.DialContext(ctx, "tcp", "h.example:443"); !errors.Is(err, context.Canceled) || dials != 1 {
		t.Errorf("got %v after %d dials, want the context's error after 1", err, dials)
	}
}

func TestGuardGivesEachAddressItsShareOfTime(t *testing.T) {
	g := mustGuard(t)
	g.names = &names{answers: map[string][][]string{"h.example": {{"93.184.216.34", "93.184.216.35"}}}}
	var shares []time.Duration
	g.connectTo = func(ctx context.Context, _, _ string) (net.Conn, error) {
		deadline, _ := ctx.Deadline()
		shares = append(shares, time.Until(deadline).Round(time.Second))
		return nil, errors.New("refused")
	}
	_, _ = g.DialContext(t.Context(), "tcp", "h.example:443")
	if want := []time.Duration{dialTimeout / 2, dialTimeout}; fmt.Sprint(shares) != fmt.Sprint(want) {
		t.Errorf("shares %v, want %v", shares, want)
	}
}

func TestGuardConnectsForReal(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	g := mustGuard(t, "db.corp:"+port)
	// The first address leads nowhere: nothing listens on that port there.
	g.names = &names{answers: map[string][][]string{"db.corp": {{"127.66.66.66", "127.0.0.1"}}}}
	conn, err := g.DialContext(t.Context(), "tcp", "db.corp:"+port)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if _, err := mustGuard(t).DialContext(t.Context(), "tcp", l.Addr().String()); connectors.CodeOf(err) != connectors.InvalidRequest {
		t.Errorf("without permission: got %v", err)
	}
}

func TestGuardCheckURL(t *testing.T) {
	tests := []struct {
		url  string
		want string // part of the message, "" for no fault
	}{
		{"https://acme.atlassian.net", ""},
		{"https://acme.atlassian.net:8443/jira", ""},
		{"https://xn--bcher-kva.example", ""},
		{"https://93.184.216.34", ""},
		{"http://jira.corp/jira", ""},
		{"http://127.0.0.1:8090", ""},
		{"http://acme.atlassian.net", "use https"},
		{"http://127.0.0.1:8091", "use https"},
		{"https://127.0.0.1:8091", "UCF_ALLOW_HOSTS"},
		{"https://10.0.0.1", "UCF_ALLOW_HOSTS"},
		{"https://[::1]", "UCF_ALLOW_HOSTS"},
		{"https://localhost", "UCF_ALLOW_HOSTS"},
		{"https://169.254.169.254", "never called"},
		{"https://169.254.1.1", "never called"},
		{"https://2130706433", "unusual form"},
		{"https://0x7f.1", "unusual form"},
		{"https://bücher.example", "xn--"},
		{"https://user@acme.example", "user name"},
		{"https://acme.example:0", "port"},
		{"https://acme.example:99999", "port"},
		{"https://", "no host"},
		{"ftp://acme.example", "https://"},
		{"file:///etc/passwd", "https://"},
		{"//acme.example", "https://"},
	}
	g := mustGuard(t, "jira.corp", "127.0.0.1:8090")
	got := dialled(g)
	for _, tt := range tests {
		t.Run(tt.url, func(t *testing.T) {
			err := g.CheckURL("instance_url", mustURL(t, tt.url))
			if tt.want == "" {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			if connectors.CodeOf(err) != connectors.InvalidRequest || !strings.Contains(err.Error(), tt.want) ||
				!strings.HasPrefix(err.Error(), "instance_url: ") {
				t.Errorf("got %v, want a fault of instance_url with %q", err, tt.want)
			}
		})
	}
	if err := g.CheckHost("host", "10.0.0.1", 5432); connectors.CodeOf(err) != connectors.InvalidRequest {
		t.Errorf("CheckHost: got %v", err)
	}
	if err := g.CheckHost("host", "db.example", 5432); err != nil {
		t.Errorf("CheckHost: got %v", err)
	}
	if len(*got) > 0 {
		t.Errorf("an offline check dialled %v", *got)
	}
}

func TestGuardAllowList(t *testing.T) {
	tests := []struct {
		entry string
		ok    bool
	}{
		{"jira.corp", true},
		{" jira.corp:8443 ", true},
		{"10.0.0.1", true},
		{"10.0.0.1:80", true},
		{"::1", true},
		{"[::1]", true},
		{"[::1]:80", true},
		{"localhost:8090", true},
		{"", false},
		{"*", false},
		{"*.corp", false},
		{"10.0.0.0/8", false},
		{"http://jira.corp", false},
		{"acme@jira.corp", false},
		{"jira.corp:0", false},
		{"jira.corp:http", false},
		{"0x7f.1", false},
		{"224.0.0.1", false},
	}
	for _, tt := range tests {
		_, err := NewGuard([]string{tt.entry}, nil)
		if ok := err == nil; ok != tt.ok {
			t.Errorf("%q: got %v, want ok %t", tt.entry, err, tt.ok)
		}
	}
	_, err := NewGuard([]string{"*", "jira.corp", "10.0.0.0/8"}, nil)
	faults, _ := connectors.AsError(err).Details["fields"].([]connectors.Fault)
	if len(faults) != 2 {
		t.Errorf("got %v, want both faults", err)
	}
}

func TestGuardWithLeavesTheOriginalAlone(t *testing.T) {
	g := mustGuard(t, "a.corp")
	wider, err := g.With("b.corp:443")
	if err != nil {
		t.Fatal(err)
	}
	a, b := mustURL(t, "https://a.corp"), mustURL(t, "https://b.corp")
	if !wider.Allows(a) || !wider.Allows(b) || !g.Allows(a) || g.Allows(b) {
		t.Error("the lists are mixed up")
	}
	if wider.transport == g.transport {
		t.Error("the guards share their connections")
	}
	if _, err := g.With("*"); connectors.CodeOf(err) != connectors.InvalidRequest {
		t.Errorf("a faulty entry: got %v", err)
	}
}

func TestGuardRefusesPlainHTTPToPublicAddresses(t *testing.T) {
	g := mustGuard(t, "jira.corp")
	g.names = &names{answers: map[string][][]string{"jira.corp": {{"93.184.216.34"}}}}
	got := dialled(g)
	for url, wantDial := range map[string]bool{"http://jira.corp/": false, "https://jira.corp/": true} {
		*got = nil
		_, err := g.RoundTrip(request(t, "GET", url, ""))
		if refused := connectors.CodeOf(wrapRefusal(err)) == connectors.InvalidRequest; refused == wantDial || len(*got) > 0 != wantDial {
			t.Errorf("%s: got %v, dialled %v", url, err, *got)
		}
	}
}

func wrapRefusal(err error) error {
	if r, ok := asRefusal(err); ok {
		return r.coded("base_url")
	}
	return err
}

func FuzzGuardCheckHost(f *testing.F) {
	for _, host := range badAddresses {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		g := newGuard(allowList{}, nil, nil)
		if err := g.CheckHost("host", host, 443); err != nil {
			return
		}
		host = canonicalHost(host)
		if addr, err := netip.ParseAddr(host); err == nil {
			if public.SafeAddr(addr) != nil || metadataAddrs[addr] {
				t.Errorf("%q passed", host)
			}
			return
		}
		if strings.Trim(host, nameBytes) != "" || strings.Trim(host, "0123456789.") == "" {
			t.Errorf("%q passed as a name", host)
		}
	})
}
