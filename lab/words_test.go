package lab

import (
	"errors"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestInstanceNamesAreUnique(t *testing.T) {
	seen := map[string]int{}
	for i := range 1000 {
		name := InstanceName(i)
		if j, twice := seen[name]; twice {
			t.Fatalf("replicas %d and %d are both %s", j, i, name)
		}
		seen[name] = i
	}
	if InstanceName(0) != "foo" || InstanceName(13) != "r14" {
		t.Errorf("the first is %s and the fourteenth %s", InstanceName(0), InstanceName(13))
	}
}

func TestNewRunIDsAreRunIDsAndDiffer(t *testing.T) {
	seen := map[RunID]bool{}
	for range 1000 {
		id := NewRunID()
		if got, err := ParseRunID(string(id)); err != nil || got != id {
			t.Fatalf("ParseRunID(%q) = %q, %v", id, got, err)
		}
		seen[id] = true
	}
	// Of 1,000 ids among 2^30, two are alike once in about 2,000 times; three
	// pairs do not happen.
	if len(seen) < 998 {
		t.Errorf("only %d of 1000 ids differ", len(seen))
	}
}

func FuzzParseRunID(f *testing.F) {
	for _, s := range []string{
		"k3f9a2", "k3f5a2", "aaaaaa", "", "k3f5a", "k3f5a22", "K3F5A2", "k3f5a1", "k3f5a8",
		"k3f5a2\n", " k3f5a", "k3f5a*", "../../", "k3f5\x00a", "äaaaa",
	} {
		f.Add(s)
	}
	const alphabet = "abcdefghijklmnopqrstuvwxyz234567"
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseRunID(s)
		if want := len(s) == 6 && strings.Trim(s, alphabet) == ""; (err == nil) != want {
			t.Fatalf("ParseRunID(%q): %v, want it accepted: %v", s, err, want)
		}
		if err == nil {
			if string(id) != s {
				t.Fatalf("ParseRunID(%q) = %q", s, id)
			}
			return
		}
		if _, usage := errors.AsType[*UsageError](err); !usage || id != "" {
			t.Fatalf("ParseRunID(%q) = %q, %T; want a usage error and no id", s, id, err)
		}
	})
}

// TestNamesOfARunFit holds names against the kernel's limits: what a run puts
// before a part leaves 13 characters for it in a chain's name, and 7 in a link's.
func TestNamesOfARunFit(t *testing.T) {
	id := NewRunID()
	if c := id.Chain(strings.Repeat("X", 13)); len(c) > 28 {
		t.Errorf("chain %s has %d characters, more than 28", c, len(c))
	}
	if l := id.Link(strings.Repeat("x", 7)); len(l) > 15 {
		t.Errorf("link %s has %d characters, more than 15", l, len(l))
	}
	for _, name := range []string{id.Comment(), id.Chain("A"), id.Link("a"), id.Object("a")} {
		if !strings.Contains(name, string(id)) {
			t.Errorf("%s does not carry the run's id %s", name, id)
		}
	}
}

func TestEveryVantageIsParsed(t *testing.T) {
	for _, v := range Vantages() {
		if got, err := ParseVantage(string(v)); got != v || err != nil {
			t.Errorf("ParseVantage(%q) = %q, %v", v, got, err)
		}
	}
	for _, s := range []string{"", "Host", "localhost ", "moon"} {
		if _, usage := errors.AsType[*UsageError](second(ParseVantage(s))); !usage {
			t.Errorf("%q was taken for a vantage", s)
		}
	}
}

func second[A, B any](_ A, b B) B { return b }

func TestFrontIsDialledOnLoopbackFromLocalhostAlone(t *testing.T) {
	lan, loopback := netip.MustParseAddr("198.19.0.1"), netip.MustParseAddr("127.0.0.1")
	f := Front{Address: lan, Loopback: loopback, Port: 8080}
	for _, v := range Vantages() {
		want := lan
		if v == Localhost {
			want = loopback
		}
		if got := f.At(v); got != netip.AddrPortFrom(want, 8080) {
			t.Errorf("a client at %s dials %s, want %s", v, got, want)
		}
	}
	both := []netip.AddrPort{netip.AddrPortFrom(lan, 8080), netip.AddrPortFrom(loopback, 8080)}
	if got := f.Endpoints(); !slices.Equal(got, both) {
		t.Errorf("endpoints %v, want %v", got, both)
	}
	if got := (Front{Loopback: loopback, Port: 8080}).Endpoints(); !slices.Equal(got, both[1:]) {
		t.Errorf("endpoints of a front with no address on a LAN: %v, want %v", got, both[1:])
	}
}

func TestPortsBesideTheFrontAreDistinct(t *testing.T) {
	for _, port := range []uint16{80, 1023, 1024, 8080, 65000, 65535} {
		f := Front{Address: netip.MustParseAddr("198.19.0.1"), Port: port}
		seen := map[netip.AddrPort]bool{f.At(External): true}
		for i := range 2000 {
			at := f.Beside(i)
			if seen[at] || at.Port() < 1024 || at.Addr() != f.Address {
				t.Fatalf("beside %d, replica %d is at %s", port, i, at)
			}
			seen[at] = true
		}
	}
	f := Front{Address: netip.MustParseAddr("198.19.0.1"), Port: 65534}
	if first, second := f.Beside(0).Port(), f.Beside(1).Port(); first != 65535 || second != 1024 {
		t.Errorf("beside 65534 there are %d and %d", first, second)
	}
}

func TestSharesFollowWeights(t *testing.T) {
	for _, c := range []struct{ weights, want []float64 }{
		{nil, nil},
		{[]float64{7}, []float64{1}},
		{[]float64{1, 1, 1, 1}, []float64{0.25, 0.25, 0.25, 0.25}},
		{[]float64{1, 3, 0.5, 0.5}, []float64{0.2, 0.6, 0.1, 0.1}},
	} {
		if got := Shares(fleet(c.weights...)); !slices.EqualFunc(got, c.want, near) {
			t.Errorf("shares of %v are %v, want %v", c.weights, got, c.want)
		}
	}
}

func TestValidWeightIsPositiveAndFinite(t *testing.T) {
	for w, want := range map[float64]bool{
		1: true, math.SmallestNonzeroFloat64: true, math.MaxFloat64: true,
		0: false, -1: false, math.Inf(1): false, math.Inf(-1): false, math.NaN(): false,
	} {
		if ValidWeight(w) != want {
			t.Errorf("ValidWeight(%v) = %v", w, !want)
		}
	}
}
