package strategies

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
	"github.com/portlab/portlab/lab/labtest"
)

// world is a place on the real kernel: namespaces for the host, another machine
// and the replicas, or the sandbox.
type world struct {
	place
	host, client *kernel.Namespace
	peers        []*kernel.Namespace // the replicas', or the sandbox's alone
	replicas     []lab.Replica
}

func newWorld(t *testing.T, p place, replicas int) *world {
	t.Helper()
	_, err := exec.LookPath("iptables")
	labtest.Require(t, "root", os.Geteuid() == 0, "namespaces and packet filters need root")
	labtest.Require(t, "iptables", err == nil, "there is no iptables here")
	requireFamily(t, p.facts.Family)
	w := &world{place: p, host: namespace(t), client: namespace(t), replicas: p.replicas(0, replicas)}
	w.link(t, kernel.End{In: w.host, Name: "lan", Address: p.lan(), Router: true}, kernel.End{
		In: w.client, Name: "eth0", Address: netip.PrefixFrom(p.facts.Client, p.lan().Bits()), Gateway: p.lan().Addr(),
	})
	w.makeRouter(t)
	if p.facts.ForwardChain != "" {
		w.drop(t)
	}
	for i, r := range w.replicas {
		if p.placement != lab.SharedNetns || i == 0 {
			w.addPeer(t, r.Address.Addr())
		}
		w.serve(t, w.peers[len(w.peers)-1], r)
	}
	return w
}

// requireFamily skips t where the kernel lacks the IP version.
func requireFamily(t *testing.T, ip lab.Family) {
	t.Helper()
	if ip == lab.IPv6 {
		_, err := os.Stat("/proc/sys/net/ipv6")
		labtest.Require(t, "IPv6", err == nil, "the kernel has no IPv6")
	}
}

// own is the host's link to the replicas.
func (w *world) own() kernel.End {
	gateway := netip.PrefixFrom(w.facts.Gateway, w.facts.Subnet.Bits())
	return kernel.End{In: w.host, Name: w.facts.Bridge, Address: gateway, Router: true}
}

// onParent is the parent of the replicas' links and the host's own.
func (w *world) onParent() kernel.Parent {
	return kernel.Parent{Kind: w.facts.Link, Name: w.parent(), Far: w.facts.Run.Link("q"), Own: w.own()}
}

// makeRouter gives the host a link to the replicas and makes it a router.
func (w *world) makeRouter(t *testing.T) {
	t.Helper()
	link := func() error { return kernel.CreateBridge(t.Context(), w.own()) }
	if k := w.facts.Link; k.OnParent() {
		err := kernel.NewHost(w.host, nil).CheckLink(t.Context(), k)
		labtest.Require(t, string(k), !errors.Is(err, lab.ErrUnsupported), fmt.Sprint(err))
		link = func() error { return kernel.CreateParent(t.Context(), w.facts.Run, w.onParent()) }
	}
	if err := link(); err != nil {
		t.Fatal(err)
	}
	forward, call := "net.ipv4.ip_forward", "bridge-nf-call-iptables"
	if w.facts.Family == lab.IPv6 {
		forward, call = "net.ipv6.conf.all.forwarding", "bridge-nf-call-ip6tables"
	}
	w.sh(t, `set -e
		sysctl -qw `+forward+`=1
		if [ -e /proc/sys/net/bridge/`+call+` ]; then sysctl -qw net.bridge.`+call+`=0; fi`)
}

// drop has the host drop what it forwards, as one with an engine does.
func (w *world) drop(t *testing.T) {
	t.Helper()
	chain, bridge := w.facts.ForwardChain, w.facts.Bridge
	w.sh(t, `set -e
		iptables -N `+chain+`
		iptables -A `+chain+` -j RETURN
		iptables -A FORWARD -j `+chain+`
		iptables -P FORWARD DROP`)
	if w.facts.Link.OnParent() {
		return // the engine lets nothing through of such a network
	}
	w.sh(t, `set -e
		iptables -A FORWARD -o `+bridge+` -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
		iptables -A FORWARD -i `+bridge+` -j ACCEPT`)
}

func namespace(t *testing.T) *kernel.Namespace {
	t.Helper()
	ns, err := kernel.New()
	if err != nil {
		t.Fatal(err)
	}
	closing(t, ns)
	return ns
}

// closing closes something when the test ends.
func closing(t *testing.T, c io.Closer) {
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

func (w *world) link(t *testing.T, host, peer kernel.End) {
	t.Helper()
	if err := kernel.CreateVeth(t.Context(), w.facts.Run, host, peer); err != nil {
		t.Fatal(err)
	}
	if err := kernel.AwaitLinks(t.Context(), host, peer); err != nil {
		t.Fatal(err)
	}
}

// sh runs lines in the host's namespace.
func (w *world) sh(t *testing.T, lines string) {
	t.Helper()
	err := w.host.Do(t.Context(), func() error {
		out, err := exec.Command("sh", "-c", lines).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// addPeer makes a namespace behind the host's link to the replicas.
func (w *world) addPeer(t *testing.T, own netip.Addr) {
	t.Helper()
	ns, name := namespace(t), fmt.Sprintf("r%d", len(w.peers))
	w.peers = append(w.peers, ns)
	inner := kernel.End{
		In: ns, Name: "eth0", Address: netip.PrefixFrom(own, w.facts.Subnet.Bits()), Gateway: w.facts.Gateway,
	}
	if w.facts.Link.OnParent() {
		if err := errors.Join(kernel.CreateOnParent(t.Context(), w.onParent(), inner), kernel.AwaitAddresses(t.Context(), inner)); err != nil {
			t.Fatal(err)
		}
	} else {
		w.link(t, kernel.End{In: w.host, Name: name, Bridge: w.facts.Bridge}, inner)
	}
	if w.shared {
		if err := kernel.HoldAddress(t.Context(), ns, w.front.Address); err != nil {
			t.Fatal(err)
		}
	}
}

// stands is where a client at a vantage is.
func (w *world) stands(v lab.Vantage) *kernel.Namespace {
	switch v {
	case lab.External:
		return w.client
	case lab.Peer:
		return w.peers[0]
	default:
		return w.host
	}
}

// tracked lists the connections to the front that the kernel tracks.
func (w *world) tracked(t *testing.T) string {
	t.Helper()
	var list []byte
	err := w.host.Do(t.Context(), func() (err error) {
		list, err = exec.Command("conntrack", "-L", "-f", fmt.Sprintf("ipv%d", w.facts.Family),
			"-p", w.facts.Transport, "--orig-port-dst", fmt.Sprint(w.front.Port)).Output()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(list)
}

// state is what steps change on the host.
func (w *world) state(t *testing.T) string {
	t.Helper()
	var m labtest.Machine
	var table []byte
	err := w.host.Do(t.Context(), func() (err error) {
		// Without nft, or a table of the run's, there is none to show.
		for _, family := range []string{"ip", "ip6"} {
			list, _ := exec.CommandContext(t.Context(), "nft", "list", "table", family, w.facts.Run.Table()).Output()
			table = append(table, list...)
		}
		m, err = labtest.Snapshot(t.Context())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return m["iptables-save"] + "\n" + m["ip6tables-save"] + "\n" + mapType.Replace(string(table)) + "\n" + m["sysctl"]
}

// mapType has nft(8) show a map made by it and one made by netlink alike: only
// nft keeps, for itself, of what type the numbers are.
var mapType = strings.NewReplacer("typeof numgen inc mod 2 : ip daddr . th dport", "type mark : ipv4_addr . inet_service",
	"typeof numgen inc mod 2 : ip6 daddr . th dport", "type mark : ipv6_addr . inet_service",
	"{ 0 :", "{ 0x00000000 :", ", 1 :", ", 0x00000001 :")
