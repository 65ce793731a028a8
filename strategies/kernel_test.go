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
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
	"github.com/portlab/portlab/lab/labtest"
)

// world is the place of [onEngine] on the real kernel: namespaces for the
// host, another machine and the replicas.
type world struct {
	place
	host, client *kernel.Namespace
	peers        []*kernel.Namespace // the replicas'
	replicas     []lab.Replica
}

func newWorld(t *testing.T, replicas int) *world {
	t.Helper()
	_, err := exec.LookPath("iptables")
	labtest.Require(t, "root", os.Geteuid() == 0, "namespaces and packet filters need root")
	labtest.Require(t, "iptables", err == nil, "there is no iptables here")
	p := onEngine("aaaaaa")
	w := &world{place: p, host: namespace(t), client: namespace(t), replicas: p.replicas(0, replicas)}
	lan, bridge := netip.PrefixFrom(p.front.Address, 24), p.facts.Bridge
	w.link(t, kernel.End{In: w.host, Name: "lan", Address: lan},
		kernel.End{In: w.client, Name: "eth0", Address: netip.PrefixFrom(p.facts.Client, 24)})
	if err := kernel.AddDefaultRoute(t.Context(), w.client, p.front.Address); err != nil {
		t.Fatal(err)
	}
	gateway := netip.PrefixFrom(p.facts.Gateway, p.facts.Subnet.Bits())
	w.sh(t, `set -e
		ip link add `+bridge+` type bridge
		ip addr add `+gateway.String()+` dev `+bridge+`
		ip link set `+bridge+` up
		sysctl -qw net.ipv4.ip_forward=1
		if [ -e /proc/sys/net/bridge/bridge-nf-call-iptables ]; then sysctl -qw net.bridge.bridge-nf-call-iptables=0; fi
		iptables -N DOCKER-USER
		iptables -A DOCKER-USER -j RETURN
		iptables -A FORWARD -j DOCKER-USER
		iptables -A FORWARD -o `+bridge+` -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
		iptables -A FORWARD -i `+bridge+` -j ACCEPT
		iptables -P FORWARD DROP`)
	for i, r := range w.replicas {
		w.addReplica(t, i, r)
	}
	return w
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

// addReplica gives a replica a namespace behind the bridge, where it answers
// each connection with its name and the client's address.
func (w *world) addReplica(t *testing.T, i int, r lab.Replica) {
	t.Helper()
	ns, name := namespace(t), fmt.Sprintf("r%d", i)
	w.peers = append(w.peers, ns)
	w.link(t, kernel.End{In: w.host, Name: name, Address: netip.MustParsePrefix("192.0.2.1/32")},
		kernel.End{In: ns, Name: "eth0", Address: netip.PrefixFrom(r.Address.Addr(), w.facts.Subnet.Bits())})
	w.sh(t, "ip addr flush dev "+name+" && ip link set "+name+" master "+w.facts.Bridge)
	if err := kernel.AddDefaultRoute(t.Context(), ns, w.facts.Gateway); err != nil {
		t.Fatal(err)
	}
	var l net.Listener
	err := ns.Do(t.Context(), func() (err error) {
		l, err = net.Listen("tcp4", r.Address.String())
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
func dial(ctx context.Context, from *kernel.Namespace, to netip.AddrPort) (name, saw string, err error) {
	err = from.Do(ctx, func() error {
		c, err := net.DialTimeout("tcp4", to.String(), 5*time.Second)
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
			return err
		}
		text, err := io.ReadAll(c)
		name, saw, _ = strings.Cut(string(text), " ")
		return err
	})
	return name, saw, err
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
	return m["iptables-save"] + "\n" + m["sysctl"]
}

// TestDNATOnTheKernel holds the fake to the kernel: what it says of a packet
// is what becomes of one.
func TestDNATOnTheKernel(t *testing.T) {
	w := newWorld(t, 3)
	h := kernel.NewHost(w.host, nil)
	steps := w.steps(t, dnat{}, w.replicas)
	expose := func() *lab.Exposure {
		x, err := lab.Expose(t.Context(), h, &labtest.Journal{}, steps)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	// The first use makes the built-in chains, which stay.
	if err := expose().Revert(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := w.state(t)
	x := expose()
	for _, c := range []struct {
		vantage lab.Vantage
		from    *kernel.Namespace
		saw     string
	}{
		{lab.External, w.client, "198.19.0.2"},
		{lab.OnHost, w.host, "198.19.0.1"},
		{lab.Localhost, w.host, "198.18.0.1"},
		{lab.Peer, w.peers[0], "198.18.0.1"},
	} {
		t.Run(string(c.vantage), func(t *testing.T) {
			near(t, w.tally(t, c.from, w.front.At(c.vantage), 150, c.saw), lab.Shares(w.replicas))
		})
	}
	t.Run("update", func(t *testing.T) {
		if err := x.Update(t.Context(), w.steps(t, dnat{}, w.replicas[1:])); err != nil {
			t.Fatal(err)
		}
		near(t, w.tally(t, w.client, w.front.At(lab.External), 150, "198.19.0.2"), []float64{0, 0.5, 0.5})
	})
	if err := x.Revert(t.Context()); err != nil {
		t.Error(err)
	}
	if d := cmp.Diff(before, w.state(t)); d != "" {
		t.Errorf("left behind (-before +after):\n%s", d)
	}
	if name, _, err := dial(t.Context(), w.client, w.front.At(lab.External)); err == nil {
		t.Errorf("%s answers still", name)
	}
}

// tally counts connections by the replica that answered, which must see this
// client's address.
func (w *world) tally(t *testing.T, from *kernel.Namespace, to netip.AddrPort, n int, saw string) []int {
	t.Helper()
	c := make([]int, len(w.replicas))
	for range n {
		name, client, err := dial(t.Context(), from, to)
		if err != nil {
			t.Fatal(err)
		}
		if client != saw {
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

// The lines for people come to the same rules as the steps, and their undo to
// none, on the real iptables.
func TestDNATByHandOnTheKernel(t *testing.T) {
	w := newWorld(t, 2)
	h := kernel.NewHost(w.host, nil)
	steps := w.steps(t, dnat{}, w.replicas)
	x, err := lab.Expose(t.Context(), h, &labtest.Journal{}, steps)
	if err != nil {
		t.Fatal(err)
	}
	applied := w.state(t)
	if err := x.Revert(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := w.state(t)
	e := lab.Explanation{Steps: steps}
	w.sh(t, "set -e\n"+strings.Join(e.Commands(), "\n"))
	if d := cmp.Diff(applied, w.state(t)); d != "" {
		t.Errorf("-applied +pasted:\n%s", d)
	}
	w.sh(t, "set -e\n"+strings.Join(e.Back(), "\n"))
	if d := cmp.Diff(before, w.state(t)); d != "" {
		t.Errorf("-before +undone:\n%s", d)
	}
}

// The one rule of direct lets the other machine through, and only to the
// replica that is meant.
func TestDirectOnTheKernel(t *testing.T) {
	w := newWorld(t, 2)
	h := kernel.NewHost(w.host, nil)
	x, err := lab.Expose(t.Context(), h, nil, w.steps(t, direct{}, w.replicas))
	if err != nil {
		t.Fatal(err)
	}
	name, saw, err := dial(t.Context(), w.client, w.replicas[0].Address)
	if err != nil || name != "foo" || saw != "198.19.0.2" {
		t.Errorf("%q answered and saw %q, %v", name, saw, err)
	}
	if err := x.Revert(t.Context()); err != nil {
		t.Error(err)
	}
}

// The real docker-proxies share the port of every address of the front.
func TestDockerProxyOnTheKernel(t *testing.T) {
	if built, err := filepath.Abs("../bin/docker-proxy"); err == nil && os.Getenv("PORTLAB_DOCKER_PROXY") == "" {
		if _, err := os.Stat(built); err == nil {
			t.Setenv("PORTLAB_DOCKER_PROXY", built)
		}
	}
	w := newWorld(t, 3)
	h := kernel.NewHost(w.host, kernel.NewSidecars(w.host, w.facts.Run, ""))
	err := lab.Probed(t.Context(), h, dockerProxy{}, lab.IPv4)
	labtest.Require(t, "docker-proxy", err == nil, fmt.Sprint(err))
	x, err := lab.Expose(t.Context(), h, nil, w.steps(t, dockerProxy{}, w.replicas))
	if err != nil {
		t.Fatal(err)
	}
	for v, from := range map[lab.Vantage]*kernel.Namespace{
		lab.External: w.client, lab.OnHost: w.host, lab.Localhost: w.host, lab.Peer: w.peers[0],
	} {
		near(t, w.tally(t, from, w.front.At(v), 150, "198.18.0.1"), lab.Shares(w.replicas))
	}
	if err := x.Update(t.Context(), w.steps(t, dockerProxy{}, w.replicas[:2])); err != nil {
		t.Fatal(err)
	}
	near(t, w.tally(t, w.client, w.front.At(lab.External), 150, "198.18.0.1"), []float64{0.5, 0.5, 0})
	if err := x.Revert(t.Context()); err != nil {
		t.Error(err)
	}
	if name, _, err := dial(t.Context(), w.client, w.front.At(lab.External)); err == nil {
		t.Errorf("%s answers still", name)
	}
}
