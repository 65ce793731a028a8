package labtest

import (
	"math"
	"net/netip"
	"strings"
	"testing"
)

func at(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// twoLinks is a host between a LAN and a bridge, with both IP versions.
func twoLinks(t *testing.T) *Host {
	h := NewHost(t)
	for _, l := range []struct{ name, own string }{
		{"lan", "198.19.0.1/24"}, {"lan", "2001:2:0:19::1/64"}, {"br", "198.18.0.1/22"}, {"br", "2001:2:0:18::1/64"},
	} {
		h.AddLink(Link{Name: l.name, Prefix: netip.MustParsePrefix(l.own)})
	}
	return h
}

// traced is a packet, and what is expected of it under some rules.
type traced struct {
	name   string
	rules  []string
	packet Packet
	want   string // destination, or what the reason of the loss contains
}

func (c traced) hold(t *testing.T) {
	t.Helper()
	h := twoLinks(t)
	shell(t, h, c.rules...)
	got := h.Trace(c.packet)
	if _, err := netip.ParseAddrPort(c.want); err != nil {
		if !strings.Contains(got.Lost, c.want) {
			t.Errorf("%+v, want it lost: %s", got, c.want)
		}
	} else if got.Lost != "" || got.Destination.String() != c.want {
		t.Errorf("%+v, want it at %s", got, c.want)
	}
}

func shell(t *testing.T, h *Host, lines ...string) {
	t.Helper()
	if err := h.Shell(lines...); err != nil {
		t.Fatal(err)
	}
}

func TestTrace(t *testing.T) {
	dnat := "iptables -t nat -A PREROUTING -d 198.19.0.1 -p tcp --dport 8080 -j DNAT --to-destination 198.18.0.2:80"
	loop := "iptables -t nat -A OUTPUT -d 127.0.0.1 -p tcp --dport 8080 -j DNAT --to-destination 198.18.0.2:80"
	localnet := "sysctl -w net.ipv4.conf.br.route_localnet=1"
	masquerade := "iptables -t nat -A POSTROUTING -s 127.0.0.0/8 -o br -j MASQUERADE"
	fromOutside := Packet{In: "lan", Source: at("198.19.0.2:999"), Destination: at("198.19.0.1:8080")}
	fromLoopback := Packet{Source: at("127.0.0.1:999"), Destination: at("127.0.0.1:8080")}
	hairpin := Packet{In: "br", Source: at("198.18.0.3:999"), Destination: at("198.19.0.1:8080")}
	for _, c := range []traced{
		{"no rule: it is for the host", nil, fromOutside, "198.19.0.1:8080"},
		{"translated and forwarded", []string{dnat}, fromOutside, "198.18.0.2:80"},
		{"another port is let alone", []string{dnat}, Packet{In: "lan", Source: at("198.19.0.2:999"), Destination: at("198.19.0.1:8081")}, "198.19.0.1:8081"},
		{"udp is let alone", []string{dnat}, Packet{Protocol: "udp", In: "lan", Source: at("198.19.0.2:999"), Destination: at("198.19.0.1:8080")}, "198.19.0.1:8080"},
		{"not forwarded", []string{dnat, "sysctl -w net.ipv4.ip_forward=0"}, fromOutside, "ip_forward"},
		{"dropped by a rule", []string{dnat, "iptables -t filter -A FORWARD -d 198.18.0.2 -j DROP"}, fromOutside, "dropped by a rule"},
		{"the first of two rules decides", []string{dnat, "iptables -t filter -A FORWARD -j ACCEPT", "iptables -t filter -A FORWARD -j DROP"}, fromOutside, "198.18.0.2:80"},
		{"a return goes on after the jump", []string{
			"iptables -t filter -N C", "iptables -t filter -A C -j RETURN", "iptables -t filter -A C -j ACCEPT",
			"iptables -t filter -A INPUT -j C", "iptables -t filter -A INPUT -j DROP",
		}, fromOutside, "dropped by a rule of INPUT"},
		{"a negation", []string{"iptables -t filter -A INPUT ! -i br -j DROP"}, fromOutside, "dropped"},
		{"the original destination is known", []string{dnat,
			"iptables -t filter -A FORWARD -p tcp -m conntrack --ctstate DNAT --ctorigdst 198.19.0.1 --ctorigdstport 8080 -j ACCEPT",
			"iptables -t filter -A FORWARD -j DROP"}, fromOutside, "198.18.0.2:80"},
		{"the host does not use PREROUTING", []string{dnat}, Packet{Source: at("198.19.0.1:999"), Destination: at("198.19.0.1:8080")}, "198.19.0.1:8080"},
		{"loopback needs route_localnet", []string{loop, masquerade}, fromLoopback, "route_localnet"},
		{"loopback needs a masquerade", []string{loop, localnet}, fromLoopback, "cannot answer"},
		{"loopback with both", []string{loop, localnet, masquerade}, fromLoopback, "198.18.0.2:80"},
		{"hairpin needs a masquerade", []string{dnat}, hairpin, "directly"},
		{"hairpin with a masquerade", []string{dnat, "iptables -t nat -A POSTROUTING -s 198.18.0.0/22 -o br -j MASQUERADE"}, hairpin, "198.18.0.2:80"},
		{"a martian", nil, Packet{In: "br", Source: at("198.18.0.3:999"), Destination: at("127.0.0.1:22")}, "may not come in"},
		{"a martian let in", []string{localnet}, Packet{In: "br", Source: at("198.18.0.3:999"), Destination: at("127.0.0.1:22")}, "127.0.0.1:22"},
	} {
		t.Run(c.name, c.hold)
	}
}

// What holds for IPv6 too is not told again: only what is its own.
func TestTraceIPv6(t *testing.T) {
	const to = "-p tcp --dport 8080 -j DNAT --to-destination '[2001:2:0:18::2]:80'"
	dnat := "ip6tables -t nat -A PREROUTING -d 2001:2:0:19::1 " + to
	loop := "ip6tables -t nat -A OUTPUT -d ::1 " + to
	fromOutside := Packet{In: "lan", Source: at("[2001:2:0:19::2]:999"), Destination: at("[2001:2:0:19::1]:8080")}
	fromLoopback := Packet{Source: at("[::1]:999"), Destination: at("[::1]:8080")}
	hairpin := Packet{In: "br", Source: at("[2001:2:0:18::3]:999"), Destination: at("[2001:2:0:19::1]:8080")}
	localnet := []string{"sysctl -w net.ipv4.conf.br.route_localnet=1", "sysctl -w net.ipv4.conf.all.route_localnet=1"}
	for _, c := range []traced{
		{"no rule: it is for the host", nil, fromOutside, "[2001:2:0:19::1]:8080"},
		{"translated and forwarded", []string{dnat}, fromOutside, "[2001:2:0:18::2]:80"},
		{"a rule of IPv4 does not matter", []string{dnat, "iptables -t filter -A FORWARD -j DROP"}, fromOutside, "[2001:2:0:18::2]:80"},
		{"a rule of IPv6 does", []string{dnat, "ip6tables -t filter -A FORWARD -j DROP"}, fromOutside, "dropped by a rule"},
		{"nor does ip_forward", []string{dnat, "sysctl -w net.ipv4.ip_forward=0"}, fromOutside, "[2001:2:0:18::2]:80"},
		{"it has a parameter of its own", []string{dnat, "sysctl -w net.ipv6.conf.all.forwarding=0"}, fromOutside, "net.ipv6.conf.all.forwarding"},
		{"loopback is for the host", nil, fromLoopback, "[::1]:8080"},
		{"loopback cannot be led elsewhere", append(localnet, loop, "ip6tables -t nat -A POSTROUTING -s ::1 -o br -j MASQUERADE"),
			fromLoopback, "IPv6 has no route_localnet"},
		{"a martian", localnet, Packet{In: "br", Source: at("[2001:2:0:18::3]:999"), Destination: at("[::1]:22")}, "may not come in"},
		{"hairpin needs a masquerade", []string{dnat}, hairpin, "directly"},
		{"hairpin with a masquerade", []string{dnat, "ip6tables -t nat -A POSTROUTING -s 2001:2:0:18::/64 -o br -j MASQUERADE"}, hairpin, "[2001:2:0:18::2]:80"},
	} {
		t.Run(c.name, c.hold)
	}
}

func TestTraceMasqueradesWithTheLinksAddress(t *testing.T) {
	h := twoLinks(t)
	for _, program := range []string{"iptables", "ip6tables"} {
		shell(t, h, program+" -t nat -A POSTROUTING -o lan -j MASQUERADE")
	}
	for _, c := range []struct{ from, to, as string }{
		{"198.18.0.2:999", "203.0.113.1:80", "198.19.0.1:999"},
		{"[2001:2:0:18::2]:999", "[2001:db8::1]:80", "[2001:2:0:19::1]:999"},
	} {
		got := h.Trace(Packet{In: "br", Source: at(c.from), Destination: at(c.to)})
		if got.Source != at(c.as) || got.Out != "lan" {
			t.Errorf("%+v, want it out by lan from %s", got, c.as)
		}
	}
}

func TestAddEngineDropsUnlessAccepted(t *testing.T) {
	h := twoLinks(t)
	h.AddEngine("br", netip.MustParsePrefix("198.18.0.0/22"))
	in := Packet{In: "lan", Source: at("198.19.0.2:999"), Destination: at("198.18.0.2:80")}
	if got := h.Trace(in); !strings.Contains(got.Lost, "policy") {
		t.Errorf("%+v, want it dropped by the policy", got)
	}
	shell(t, h, "iptables -t filter -I DOCKER-USER -s 198.19.0.2 -j ACCEPT")
	if got := h.Trace(in); got.Lost != "" {
		t.Errorf("accepted in DOCKER-USER, and lost: %s", got.Lost)
	}
	out := Packet{In: "br", Source: at("198.18.0.2:999"), Destination: at("203.0.113.1:80")}
	if got := h.Trace(out); got.Source.Addr() != netip.MustParseAddr("198.19.0.1") {
		t.Errorf("%+v, want it masqueraded", got)
	}
}

// The share that a random match takes is its probability, and the seed decides.
func TestStatisticRandom(t *testing.T) {
	h := twoLinks(t)
	shell(t, h, "iptables -t filter -A INPUT -m statistic --mode random --probability 0.3 -j DROP")
	count := func(seed uint64) (dropped int) {
		h.Seed(seed)
		for range 100_000 {
			if h.Trace(Packet{In: "lan", Source: at("198.19.0.2:9"), Destination: at("198.19.0.1:9")}).Lost != "" {
				dropped++
			}
		}
		return dropped
	}
	first := count(7)
	// Five standard deviations of a binomial with n = 100,000 and p = 0.3.
	if off := math.Abs(float64(first) - 30_000); off > 5*math.Sqrt(100_000*0.3*0.7) {
		t.Errorf("%d of 100,000 dropped, want about 30,000", first)
	}
	if again := count(7); again != first {
		t.Errorf("the same seed gave %d and %d", first, again)
	}
	if other := count(8); other == first {
		t.Errorf("another seed gave the same %d", other)
	}
}

func TestStatisticNthTakesTurns(t *testing.T) {
	h := twoLinks(t)
	shell(t, h, "iptables -t filter -A INPUT -m statistic --mode nth --every 3 --packet 1 -j DROP")
	var got strings.Builder
	for range 7 {
		if h.Trace(Packet{In: "lan", Source: at("198.19.0.2:9"), Destination: at("198.19.0.1:9")}).Lost != "" {
			got.WriteString("x")
		} else {
			got.WriteString("-")
		}
	}
	if got.String() != "-x--x--" {
		t.Errorf("taken: %s, want -x--x--", got.String())
	}
}
