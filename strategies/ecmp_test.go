package strategies

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
	"github.com/portlab/portlab/lab/labtest"
)

// Packets go to a replica by the route, with nothing rewritten: those of a
// connection to one, those of many to each by its weight.
func TestECMPRoutesByWeight(t *testing.T) {
	for name, p := range map[string]place{"4": bare("aaaaaa"), "6": bare6("aaaaaa")} {
		t.Run(name, func(t *testing.T) {
			s := ecmp{hashFields}
			p = p.of(s)
			to := p.replicas(0, 3)
			to[0].Weight = 2
			h := p.exposed(t, s, to)
			packet, _ := p.packet(lab.External)
			c := make([]int, len(to))
			for i := range 4000 {
				packet.Source = netip.AddrPortFrom(packet.Source.Addr(), uint16(1024+i))
				got := h.Trace(packet)
				if got.Lost != "" || got.Source != packet.Source || got.Destination != packet.Destination || got.Out != p.facts.Bridge {
					t.Fatalf("%+v, want it as it was, on the bridge", got)
				}
				if again := h.Trace(packet); again != got {
					t.Fatalf("%+v, then %+v", got, again)
				}
				c[slices.IndexFunc(to, func(r lab.Replica) bool { return r.Address.Addr() == got.Via })]++
			}
			near(t, c, lab.Shares(to))
		})
	}
}

func TestECMPRefusesWeightsOfMoreThan256Parts(t *testing.T) {
	p := bare("aaaaaa").of(ecmp{})
	to := p.replicas(0, 2)
	to[0].Weight = 257
	_, err := ecmp{hashFields}.Steps(p.facts, p.front, to)
	if usage := new(lab.UsageError); !errors.As(err, &usage) {
		t.Errorf("%v, want a usage error", err)
	}
}

func TestECMPOnTheKernel(t *testing.T) {
	for name, p := range map[string]place{
		"4": bare("aaaaaa"), "6": bare6("aaaaaa"), "4-udp": bare("aaaaaa").speaking(lab.UDP), "6-udp": bare6("aaaaaa").speaking(lab.UDP),
	} {
		for _, s := range []lab.Strategy{ecmp{hashFields}, ecmpTrap{ecmp{hashLayer4}}} {
			t.Run(name+"/"+lab.FullName(s), func(t *testing.T) { ecmpOnTheKernel(t, newWorld(t, p.of(s), 3), s) })
		}
	}
}

func ecmpOnTheKernel(t *testing.T, w *world, s lab.Strategy) {
	before := w.state(t) + w.routes(t)
	x, err := lab.Expose(t.Context(), kernel.NewHost(w.host, nil), &labtest.Journal{}, w.steps(t, s, w.replicas))
	if err != nil {
		t.Fatal(err)
	}
	for v, saw := range map[lab.Vantage]netip.Addr{lab.External: w.facts.Client, lab.OnHost: w.facts.Gateway} {
		near(t, w.tally(t, w.stands(v), w.front.At(v), 300, saw), lab.Shares(w.replicas))
	}
	if err := x.Update(t.Context(), w.steps(t, s, w.replicas[1:])); err != nil {
		t.Fatal(err)
	}
	near(t, w.tally(t, w.client, w.front.At(lab.External), 300, w.facts.Client), []float64{0, 0.5, 0.5})
	if err := x.Revert(t.Context()); err != nil {
		t.Error(err)
	}
	if d := cmp.Diff(before, w.state(t)+w.routes(t)); d != "" {
		t.Errorf("left behind (-before +after):\n%s", d)
	}
}

// routes lists the host's to the front.
func (w *world) routes(t *testing.T) string {
	t.Helper()
	var list []byte
	err := w.host.Do(t.Context(), func() (err error) {
		ip := fmt.Sprintf("-%d", w.facts.Family)
		list, err = exec.CommandContext(t.Context(), "ip", ip, "route", "show", w.front.Address.String()).Output()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(list)
}

// A packet that is lost and sent again moves established connections with
// hash=layer4, and none with hash=fields.
func TestECMPLayer4MovesEstablishedConnections(t *testing.T) {
	_, err := exec.LookPath("nft")
	labtest.Require(t, "nft", err == nil, "it drops what is forwarded for a while")
	const connections = 60
	for _, s := range []lab.Strategy{ecmp{hashFields}, ecmpTrap{ecmp{hashLayer4}}} {
		t.Run(lab.FullName(s), func(t *testing.T) {
			moved := afterLoss(t, newWorld(t, bare("aaaaaa").of(s), 2), s, connections)
			t.Logf("%d of %d connections were reset", moved, connections)
			if _, trap := s.(lab.Warner); trap != (moved > 0) {
				t.Errorf("%d of %d connections were reset", moved, connections)
			}
		})
	}
}

// afterLoss makes connections, loses what their clients send until each has
// sent it again, and counts those that are reset.
func afterLoss(t *testing.T, w *world, s lab.Strategy, connections int) (reset int) {
	w.front.Port++ // beside the servers that close after an answer
	for _, ns := range w.peers {
		w.echo(t, ns)
	}
	if _, err := lab.Expose(t.Context(), kernel.NewHost(w.host, nil), &labtest.Journal{}, w.steps(t, s, w.replicas)); err != nil {
		t.Fatal(err)
	}
	all := make([]net.Conn, connections)
	for i := range all {
		c, err := w.open(t.Context(), w.client, netip.Addr{}, w.front.At(lab.External))
		if err != nil {
			t.Fatal(err)
		}
		closing(t, c)
		all[i] = c
		if err := exchange(c); err != nil {
			t.Fatal(err)
		}
	}
	w.sh(t, "nft 'add table ip loss; add chain ip loss everything { type filter hook forward priority 0; policy drop; }'")
	for _, c := range all {
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range all {
		awaitRetransmission(t, c)
	}
	w.sh(t, "nft delete table ip loss")
	for _, c := range all {
		if err := receive(c); errors.Is(err, syscall.ECONNRESET) {
			reset++
		} else if err != nil {
			t.Error(err)
		}
	}
	return reset
}

// echo answers each byte on each connection by itself.
func (w *world) echo(t *testing.T, ns *kernel.Namespace) {
	t.Helper()
	var l net.Listener
	err := ns.Do(t.Context(), func() (err error) {
		config := net.ListenConfig{}
		l, err = config.Listen(t.Context(), "tcp", w.front.At(lab.External).String())
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
			go func() {
				defer c.Close()
				_, _ = io.Copy(c, c) // until the client closes, or is reset
			}()
		}
	}()
}

func exchange(c net.Conn) error {
	if _, err := c.Write([]byte("x")); err != nil {
		return err
	}
	return receive(c)
}

func receive(c net.Conn) error {
	if err := c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, 1))
	return err
}

// awaitRetransmission returns when a connection has sent its last segment more
// than once (tcp(7), TCP_INFO): the first time again with the old hash.
func awaitRetransmission(t *testing.T, c net.Conn) {
	t.Helper()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for sent := uint32(0); sent < 2; time.Sleep(5 * time.Millisecond) {
		err := raw.Control(func(fd uintptr) {
			info, e := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
			if err = e; e == nil {
				sent = info.Total_retrans
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
