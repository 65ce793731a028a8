package kernel

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/nftables"

	"github.com/portlab/portlab/lab"
)

// A map of more elements than one message of netlink holds is filled all the
// same, set again with fewer, and gone with its table.
func TestTablesHoldManyElements(t *testing.T) {
	for ip, first := range map[lab.Family]string{lab.IPv4: "198.18.0.2", lab.IPv6: "2001:2:0:18::2"} {
		t.Run(fmt.Sprint(ip), func(t *testing.T) {
			tables, err := openTables(newNamespace(t))
			no(t, err)
			for _, n := range []int{3 * elementsAtOnce / 2, 2} {
				no(t, tables.Set(picking(ip, netip.MustParseAddr(first), n)))
				if got := tables.elements(t, ip); got != n {
					t.Errorf("the map has %d elements, want %d", got, n)
				}
			}
			for range 2 {
				no(t, tables.Delete(ip, "t"))
			}
			if left, err := tables.list(); err != nil || len(left) != 0 {
				t.Errorf("%d tables are left, %v", len(left), err)
			}
		})
	}
}

// picking is a table that sends to n addresses in turn.
func picking(ip lab.Family, first netip.Addr, n int) lab.NftTable {
	var to []netip.AddrPort
	for _, a := range Consecutive(first, n) {
		to = append(to, netip.AddrPortFrom(a, 80))
	}
	return lab.NftTable{
		Family: ip, Name: "t", Maps: []lab.NftMap{{Name: "m", Values: to}},
		Chains: []lab.NftChain{{Name: "c", Type: "nat", Hook: "output", Priority: -100, Rules: []lab.NftRule{{
			Matches: []lab.NftMatch{{Of: lab.NftTransport, Word: "tcp"}},
			Action:  lab.NftDNAT, Pick: lab.NftPick{By: lab.NftTurn, Map: "m"},
		}}}},
	}
}

func (t tables) elements(tb *testing.T, ip lab.Family) (n int) {
	tb.Helper()
	err := t.do("count elements", func(c *nftables.Conn) error {
		set, err := c.GetSetByName(&nftables.Table{Name: "t", Family: nftFamily(ip)}, "m")
		if err != nil {
			return err
		}
		all, err := c.GetSetElements(set)
		n = len(all)
		return err
	})
	no(tb, err)
	return n
}

// A transaction of which a part is refused changes nothing.
func TestTablesChangeAllOrNothing(t *testing.T) {
	tables, err := openTables(newNamespace(t))
	no(t, err)
	first := netip.MustParseAddr("198.18.0.2")
	no(t, tables.Set(picking(lab.IPv4, first, 2)))
	bad := picking(lab.IPv4, first, 5)
	bad.Chains[0].Rules = append(bad.Chains[0].Rules, lab.NftRule{Action: lab.NftMasquerade}) // not at output
	if err := tables.Set(bad); err == nil {
		t.Fatal("masquerade is taken at output")
	}
	if got := tables.elements(t, lab.IPv4); got != 2 {
		t.Errorf("the map has %d elements after a refused change, want 2", got)
	}
}

// A route is replaced as a whole, and to delete one that is gone is no error.
func TestRoutesAreReplaced(t *testing.T) {
	ns := newNamespace(t)
	no(t, CreateBridge(t.Context(), End{In: ns, Name: "br0", Address: netip.MustParsePrefix("198.18.0.1/24")}))
	to := netip.MustParsePrefix("198.19.8.1/32")
	hop := func(last byte, weight int) lab.Hop {
		return lab.Hop{Via: netip.AddrFrom4([4]byte{198, 18, 0, last}), Link: "br0", Weight: weight}
	}
	for range 2 {
		no(t, routes{ns}.Set(to, []lab.Hop{hop(2, 1), hop(3, 256)}))
		no(t, routes{ns}.Set(to, []lab.Hop{hop(4, 1)}))
	}
	if err := (routes{ns}).Set(to, []lab.Hop{{Via: netip.MustParseAddr("203.0.113.1"), Link: "br0", Weight: 1}}); err == nil {
		t.Error("a hop that is no neighbour is taken")
	}
	for range 2 {
		no(t, routes{ns}.Delete(to))
	}
}
