package labtest

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/portlab/portlab/lab"
)

func rulesOf(t *testing.T, h *Host) lab.Rules {
	t.Helper()
	r, err := h.Rules(lab.IPv4)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// What iptables refuses is refused, and leaves the table as it was.
func TestRulesRefuses(t *testing.T) {
	jump := []string{"-j", "NOWHERE"}
	for name, do := range map[string]func(lab.Rules) error{
		"insert into a missing chain": func(r lab.Rules) error { return r.Insert("nat", "MINE2", "-j", "ACCEPT") },
		"jump to a missing chain":     func(r lab.Rules) error { return r.Insert("nat", "OUTPUT", jump...) },
		"set a missing chain":         func(r lab.Rules) error { return r.SetChain("nat", "MINE2", nil) },
		"fill with a missing jump":    func(r lab.Rules) error { return r.SetChain("nat", "MINE", [][]string{jump}) },
		"make a chain twice":          func(r lab.Rules) error { return r.NewChain("nat", "MINE") },
		"a name of 29 characters":     func(r lab.Rules) error { return r.NewChain("nat", strings.Repeat("x", 29)) },
		"a missing table":             func(r lab.Rules) error { return r.NewChain("tan", "X") },
		"delete a chain in use":       func(r lab.Rules) error { return r.DeleteChain("nat", "USED") },
		"delete a built-in chain":     func(r lab.Rules) error { return r.DeleteChain("nat", "OUTPUT") },
		"a loop of chains":            func(r lab.Rules) error { return r.Insert("nat", "USED", "-j", "USED") },
		"DNAT after routing": func(r lab.Rules) error {
			return r.Insert("nat", "POSTROUTING", "-j", "DNAT", "--to-destination", "192.0.2.1")
		},
		"DNAT in the filter table": func(r lab.Rules) error {
			return r.Insert("filter", "INPUT", "-j", "DNAT", "--to-destination", "192.0.2.1")
		},
		"MASQUERADE before routing, by a chain": func(r lab.Rules) error {
			return r.SetChain("nat", "USED", [][]string{{"-j", "MASQUERADE"}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := NewHost(t)
			r := rulesOf(t, h)
			if err := errors.Join(r.NewChain("nat", "MINE"), r.NewChain("nat", "USED"), r.Insert("nat", "OUTPUT", "-j", "USED")); err != nil {
				t.Fatal(err)
			}
			before := h.Dump()
			if err := do(r); err == nil {
				t.Error("no error")
			}
			if after := h.Dump(); after != before {
				t.Errorf("the refused change left something:\n%s", after)
			}
		})
	}
}

// Words outside of the grammar fail the test that uses them.
func TestRulesFailsTheTestOnWhatItDoesNotUnderstand(t *testing.T) {
	for _, rule := range []string{
		"-j",
		"-p tcp",
		"-p icmp -j ACCEPT",
		"--dport 80 -j ACCEPT",
		"-p tcp --dport 80000 -j ACCEPT",
		"-p tcp --dports 80,81 -j ACCEPT",
		"--ctstate NEW -j ACCEPT",
		"-m conntrack --ctstate NEWER -j ACCEPT",
		"-m geoip --country XX -j ACCEPT",
		"-m comment -j ACCEPT",
		"-m comment --comment " + strings.Repeat("x", 256) + " -j ACCEPT",
		"-m statistic --mode random -j ACCEPT",
		"-m statistic --mode random --probability 1.5 -j ACCEPT",
		"-m statistic --mode nth --every 0 --packet 0 -j ACCEPT",
		"-m statistic --mode nth --every 2 --packet 2 -j ACCEPT",
		"-m addrtype --dst-type BROADCAST -j ACCEPT",
		"-s 192.0.2.300 -j ACCEPT",
		"-s 2001:db8::1 -j ACCEPT",
		"-o eth0 -j ACCEPT",
		"-i a-name-that-is-too-long -j ACCEPT",
		"! -j ACCEPT",
		"-j ACCEPT -j DROP",
		"-j ACCEPT --to-destination 192.0.2.1",
		"-j DNAT",
		"-j DNAT --to-destination 192.0.2.1:80",
		"-j DNAT --to-source 192.0.2.1",
	} {
		t.Run(rule, func(t *testing.T) {
			seen := &recorder{TB: t}
			h := NewHost(seen)
			if err := rulesOf(t, h).Insert("nat", "PREROUTING", strings.Fields(rule)...); err == nil {
				t.Error("no error")
			}
			if len(seen.failures) == 0 {
				t.Error("the test was not failed")
			}
			h.AssertPristine(t)
		})
	}
}

// Each family has addresses of its own, and ports stand apart from an IPv6
// address by brackets only.
func TestRulesAreOfAFamily(t *testing.T) {
	for rule, wanted := range map[string]lab.Family{
		"-s 192.0.2.0/24 -j ACCEPT":                        lab.IPv4,
		"-s 2001:db8::/64 -j ACCEPT":                       lab.IPv6,
		"-p tcp -j DNAT --to-destination 192.0.2.1:80":     lab.IPv4,
		"-p tcp -j DNAT --to-destination [2001:db8::1]:80": lab.IPv6,
		"-m conntrack --ctorigdst 2001:db8::1 -j RETURN":   lab.IPv6,
		"-p tcp -j DNAT --to-destination 2001:db8::1]:80":  0,
		"-p tcp -j DNAT --to-destination [2001:db8::1]:":   0,
		"-d [2001:db8::1] -j ACCEPT":                       0,
	} {
		for _, ip := range []lab.Family{lab.IPv4, lab.IPv6} {
			h := NewHost(&recorder{TB: t})
			r, err := h.Rules(ip)
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Insert("nat", "PREROUTING", strings.Fields(rule)...); (err == nil) != (ip == wanted) {
				t.Errorf("IPv%d: %s: %v", ip, rule, err)
			}
		}
	}
}

func TestRulesKeepsOrderAndDeletesOne(t *testing.T) {
	h := NewHost(t)
	r := rulesOf(t, h)
	for _, port := range []string{"1", "2", "2", "3"} {
		if err := r.Insert("filter", "INPUT", "-p", "tcp", "--dport", port, "-j", "DROP"); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Delete("filter", "INPUT", "-p", "tcp", "--dport", "2", "-j", "DROP"); err != nil {
		t.Fatal(err)
	}
	if err := r.Delete("filter", "INPUT", "-p", "tcp", "--dport", "9", "-j", "DROP"); err != nil {
		t.Errorf("deleting what is not there: %v", err)
	}
	var got []string
	for line := range strings.Lines(h.Dump()) {
		if _, rest, ok := strings.Cut(line, "-A INPUT -p tcp --dport "); ok {
			got = append(got, rest[:1])
		}
	}
	if s := strings.Join(got, " "); s != "3 2 1" {
		t.Errorf("ports in order: %s, want 3 2 1", s)
	}
}

func TestFailAtFailsOneChange(t *testing.T) {
	h := NewHost(t)
	r := rulesOf(t, h)
	h.FailAt(2)
	if err := r.NewChain("nat", "A"); err != nil {
		t.Fatal(err)
	}
	if err := r.NewChain("nat", "B"); !errors.Is(err, ErrInjected) {
		t.Fatalf("the second change: %v, want the injected failure", err)
	}
	if err := r.NewChain("nat", "B"); err != nil {
		t.Errorf("the third change: %v", err)
	}
	if n := h.Mutations(); n != 3 {
		t.Errorf("%d changes counted, want 3", n)
	}
	if h.Diff() == "" {
		t.Error("two chains were made, and no difference is seen")
	}
	seen := &recorder{TB: t}
	h.AssertPristine(seen)
	if len(seen.failures) == 0 {
		t.Error("AssertPristine passed with two chains left behind")
	}
}

func TestHostIsSafeForConcurrentUse(t *testing.T) {
	h := NewHost(t)
	r := rulesOf(t, h)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			name := "C" + string(rune('A'+i))
			for range 50 {
				if err := errors.Join(r.NewChain("nat", name), r.Insert("nat", "OUTPUT", "-j", name)); err != nil {
					t.Error(err)
				}
				h.Trace(Packet{Source: at("10.0.0.1:1"), Destination: at("10.0.0.2:2")})
				if err := errors.Join(r.Delete("nat", "OUTPUT", "-j", name), r.DeleteChain("nat", name)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	h.AssertPristine(t)
}
