package kernel

import (
	"net"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
)

func TestFlowsAreThoseOfFrontAndReplica(t *testing.T) {
	front, replica := netip.MustParseAddrPort("198.19.0.1:8080"), netip.MustParseAddrPort("198.18.0.2:80")
	m := flowMatch{front: setOf([]netip.AddrPort{front}), replica: setOf([]netip.AddrPort{replica})}
	flow := func(front, replica string) *netlink.ConntrackFlow {
		f, r := netip.MustParseAddrPort(front), netip.MustParseAddrPort(replica)
		return &netlink.ConntrackFlow{
			Forward: netlink.IPTuple{DstIP: net.IP(f.Addr().AsSlice()), DstPort: f.Port()},
			Reverse: netlink.IPTuple{SrcIP: net.IP(r.Addr().AsSlice()), SrcPort: r.Port()},
		}
	}
	for _, c := range []struct {
		front, replica string
		want           bool
	}{
		{"198.19.0.1:8080", "198.18.0.2:80", true},
		{"198.19.0.1:8081", "198.18.0.2:80", false},
		{"198.19.0.9:8080", "198.18.0.2:80", false},
		{"198.19.0.1:8080", "198.18.0.2:81", false},
		{"198.19.0.1:8080", "198.18.0.3:80", false},
	} {
		if got := m.MatchConntrackFlow(flow(c.front, c.replica)); got != c.want {
			t.Errorf("%s answered by %s: %v", c.front, c.replica, got)
		}
	}
}

func TestForgetDeletesTheFlowsOfAReplica(t *testing.T) {
	ns := newNamespace(t)
	r := newRules(t, ns, 4)
	front, replica := netip.MustParseAddrPort("127.0.0.1:8080"), netip.MustParseAddrPort("127.0.0.1:9000")
	no(t, r.Insert("nat", "OUTPUT", "-p", "tcp", "--dport", "8080", "-j", "DNAT", "--to-destination", replica.String()))
	var l net.Listener
	no(t, ns.Do(t.Context(), func() (err error) {
		l, err = net.Listen("tcp4", replica.String())
		return err
	}))
	defer l.Close()
	no(t, ns.Do(t.Context(), func() error {
		c, err := net.Dial("tcp4", front.String())
		if err != nil {
			return err
		}
		return c.Close()
	}))
	f := flows{ns}
	other := netip.MustParseAddrPort("127.0.0.1:9001")
	for _, c := range []struct {
		replica netip.AddrPort
		want    uint
	}{{other, 0}, {replica, 1}, {replica, 0}} {
		n, err := f.Forget([]netip.AddrPort{front}, []netip.AddrPort{c.replica})
		no(t, err)
		if n != c.want {
			t.Errorf("forgot %d flows of %s, not %d", n, c.replica, c.want)
		}
	}
}
