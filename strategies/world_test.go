package strategies

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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
		In: w.client, Name: "eth0", Address: netip.PrefixFrom(p.facts.Client, p.lan().Bits()), Gateway: p.front.Address,
	})
	w.makeBridge(t)
	if p.facts.ForwardChain != "" {
		w.drop(t)
	}
	for i, r := range w.replicas {
		if p.placement != lab.SharedNetns || i == 0 {
			w.addPeer(t, r.Address.Addr())
		}
		w.serve(t, w.peers[len(w.peers)-1], r)
	}
	w.settle(t)
	return w
}

// settle waits until the host's links send. One that came up before its other
// end is told of that end a moment later, and drops what it sends until then:
// TCP sends it again, UDP does not.
func (w *world) settle(t *testing.T) {
	t.Helper()
	w.sh(t, `for i in $(seq 500); do
		ip -o link show up | grep -v '^1: lo:' | grep -qv ' state UP ' || exit 0
		sleep 0.01
	done
	ip link
	exit 1`)
}

// requireFamily skips t where the kernel lacks the IP version.
func requireFamily(t *testing.T, ip lab.Family) {
	t.Helper()
	if ip == lab.IPv6 {
		_, err := os.Stat("/proc/sys/net/ipv6")
		labtest.Require(t, "IPv6", err == nil, "the kernel has no IPv6")
	}
}

// makeBridge gives the host a bridge for the replicas and makes it a router.
func (w *world) makeBridge(t *testing.T) {
	t.Helper()
	gateway := netip.PrefixFrom(w.facts.Gateway, w.facts.Subnet.Bits())
	if err := kernel.CreateBridge(t.Context(), kernel.End{In: w.host, Name: w.facts.Bridge, Address: gateway, Router: true}); err != nil {
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
		iptables -A FORWARD -o `+bridge+` -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
		iptables -A FORWARD -i `+bridge+` -j ACCEPT
		iptables -P FORWARD DROP`)
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

// addPeer makes a namespace behind the bridge.
func (w *world) addPeer(t *testing.T, own netip.Addr) {
	t.Helper()
	ns, name := namespace(t), fmt.Sprintf("r%d", len(w.peers))
	w.peers = append(w.peers, ns)
	w.link(t, kernel.End{In: w.host, Name: name, Bridge: w.facts.Bridge}, kernel.End{
		In: ns, Name: "eth0", Address: netip.PrefixFrom(own, w.facts.Subnet.Bits()), Gateway: w.facts.Gateway,
	})
}

// serve has a replica answer each connection, or each datagram, with its name
// and the client's address. Those of one namespace share the port.
func (w *world) serve(t *testing.T, ns *kernel.Namespace, r lab.Replica) {
	t.Helper()
	if w.facts.Transport == "udp" {
		w.serveUDP(t, ns, r)
	} else {
		w.serveTCP(t, ns, r)
	}
}

// sharing is how to listen on a port that others listen on, too.
func sharing() net.ListenConfig {
	return net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var set error
		err := c.Control(func(fd uintptr) {
			set = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		})
		return errors.Join(err, set)
	}}
}

func (w *world) serveUDP(t *testing.T, ns *kernel.Namespace, r lab.Replica) {
	t.Helper()
	var c net.PacketConn
	share := sharing()
	err := ns.Do(t.Context(), func() (err error) {
		c, err = share.ListenPacket(t.Context(), "udp", r.Address.String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, c)
	go func() {
		question := make([]byte, 64)
		for {
			_, from, err := c.ReadFrom(question)
			if err != nil {
				return
			}
			saw := from.(*net.UDPAddr).AddrPort().Addr().Unmap()
			if _, err := fmt.Fprintf(answerer{c, from}, "%s %s", r.Instance, saw); err != nil {
				t.Error(err)
			}
		}
	}()
}

// answerer sends datagrams to one address.
type answerer struct {
	c  net.PacketConn
	to net.Addr
}

func (a answerer) Write(p []byte) (int, error) { return a.c.WriteTo(p, a.to) }

func (w *world) serveTCP(t *testing.T, ns *kernel.Namespace, r lab.Replica) {
	t.Helper()
	var l net.Listener
	share := sharing()
	err := ns.Do(t.Context(), func() (err error) {
		l, err = share.Listen(t.Context(), "tcp", r.Address.String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, l)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			from := c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
			_, err = fmt.Fprintf(c, "%s %s", r.Instance, from)
			if err := errors.Join(err, c.Close()); err != nil {
				t.Error(err)
			}
		}
	}()
}

// dial makes a connection from a namespace and gives who answered, and the
// client's address that it saw.
func (w *world) dial(ctx context.Context, from *kernel.Namespace, to netip.AddrPort) (name, saw string, err error) {
	return w.dialAs(ctx, from, netip.Addr{}, to)
}

// dialAs is dial with an address of the client's own choice, if it is valid.
func (w *world) dialAs(ctx context.Context, from *kernel.Namespace, own netip.Addr, to netip.AddrPort) (name, saw string, err error) {
	c, err := w.open(ctx, from, own, to)
	if err != nil {
		return "", "", err
	}
	name, saw, err = w.ask(c)
	return name, saw, errors.Join(err, c.Close())
}

// open makes a connection, or what stands for one over UDP.
func (w *world) open(ctx context.Context, from *kernel.Namespace, own netip.Addr, to netip.AddrPort) (c net.Conn, err error) {
	d := net.Dialer{Timeout: 5 * time.Second}
	switch local := netip.AddrPortFrom(own, 0); {
	case !own.IsValid():
	case w.facts.Transport == "udp":
		d.LocalAddr = net.UDPAddrFromAddrPort(local)
	default:
		d.LocalAddr = net.TCPAddrFromAddrPort(local)
	}
	err = from.Do(ctx, func() (err error) {
		c, err = d.DialContext(ctx, w.facts.Transport, to.String())
		return err
	})
	return c, err
}

// ask reads the answer on a connection; over UDP it asks first.
func (w *world) ask(c net.Conn) (name, saw string, err error) {
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", "", err
	}
	var text []byte
	if w.facts.Transport == "udp" {
		text = make([]byte, 64)
		n := 0
		if _, err = c.Write([]byte("who is there")); err == nil {
			n, err = c.Read(text)
		}
		text = text[:n]
	} else {
		text, err = io.ReadAll(c)
	}
	name, saw, _ = strings.Cut(string(text), " ")
	return name, saw, err
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
	err := w.host.Do(t.Context(), func() (err error) {
		m, err = labtest.Snapshot(t.Context())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return m["iptables-save"] + "\n" + m["ip6tables-save"] + "\n" + m["sysctl"]
}

// tally counts connections by the replica that answered, which must see this
// client's address.
func (w *world) tally(t *testing.T, from *kernel.Namespace, to netip.AddrPort, n int, saw netip.Addr) []int {
	t.Helper()
	c := make([]int, len(w.replicas))
	for range n {
		name, client, err := w.dial(t.Context(), from, to)
		if err != nil {
			t.Fatal(err)
		}
		if client != saw.String() {
			t.Fatalf("%s saw %s, want %s", name, client, saw)
		}
		for i, r := range w.replicas {
			if r.Instance == name {
				c[i]++
			}
		}
	}
	return c
}
