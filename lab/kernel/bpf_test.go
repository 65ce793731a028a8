package kernel

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
)

// fronts are those of a host, by IP version.
var fronts = map[lab.Family][]netip.AddrPort{
	lab.IPv4: {netip.MustParseAddrPort("127.0.0.9:8080"), netip.MustParseAddrPort("127.0.0.1:8080")},
	lab.IPv6: {netip.MustParseAddrPort("[::1]:8080")},
}

// everyWay runs a test with each IP version and transport.
func everyWay(t *testing.T, f func(t *testing.T, ip lab.Family, transport string)) {
	for _, ip := range []lab.Family{lab.IPv4, lab.IPv6} {
		for _, transport := range []string{"tcp", "udp"} {
			t.Run(fmt.Sprint(transport, ip), func(t *testing.T) { f(t, ip, transport) })
		}
	}
}

func supported(t *testing.T, b lab.BPF, hook lab.BPFHook, ip lab.Family) {
	t.Helper()
	err := b.Supports(t.Context(), hook, ip)
	labtest.Require(t, "BPF", err == nil || !errors.Is(err, lab.ErrUnsupported), fmt.Sprint(err))
	no(t, err)
}

// near says whether shares of counts are within five standard deviations.
func near(t *testing.T, counts map[string]int, shares map[string]float64) {
	t.Helper()
	n := 0
	for _, c := range counts {
		n += c
	}
	for name, p := range shares {
		sd := math.Sqrt(float64(n) * p * (1 - p))
		if off := math.Abs(float64(counts[name]) - p*float64(n)); off > 5*sd {
			t.Errorf("%v, want shares %v", counts, shares)
		}
	}
}

// sharing are replicas that share every address of the front.
func sharing(t *testing.T, ip lab.Family, transport string, n int) *bpfScene {
	var at []string
	for _, f := range fronts[ip] {
		at = append(at, f.String())
	}
	var all [][]string
	for range n {
		all = append(all, at)
	}
	return newScene(t, transport, all...)
}

func TestClassicReuseportPicksAtRandom(t *testing.T) {
	everyWay(t, func(t *testing.T, ip lab.Family, transport string) {
		s := sharing(t, ip, transport, 3)
		b := newBPF(s.ns)
		supported(t, b, lab.BPFReuseportClassic, ip)
		p := lab.BPFProgram{
			Name: "front", Hook: lab.BPFReuseportClassic, Method: lab.MethodRandom, Transport: transport, Front: fronts[ip], Replicas: s.replicas,
		}
		no(t, b.Attach(t.Context(), p))
		for _, at := range fronts[ip] {
			near(t, s.tally(t, at, 300), map[string]float64{"foo": 1. / 3, "bar": 1. / 3, "baz": 1. / 3})
		}
		// The numbers are those of the sockets in the order in which they came.
		p.Replicas = s.replicas[:1]
		no(t, b.Replace(t.Context(), p))
		if got := s.tally(t, fronts[ip][0], 30); got["foo"] != 30 {
			t.Errorf("%v, want the first alone", got)
		}
		no(t, b.Detach(t.Context(), p.Name))
		if got := s.tally(t, fronts[ip][0], 100); len(got) != 3 {
			t.Errorf("%v, want that the kernel picks by its hash again", got)
		}
	})
}

func TestReuseportTakesTurns(t *testing.T) {
	everyWay(t, func(t *testing.T, ip lab.Family, transport string) {
		s := sharing(t, ip, transport, 3)
		b := newBPF(s.ns)
		supported(t, b, lab.BPFReuseport, ip)
		p := lab.BPFProgram{
			Name: "front", Hook: lab.BPFReuseport, Method: lab.MethodTurn, Transport: transport, Front: fronts[ip], Replicas: s.replicas,
		}
		no(t, b.Attach(t.Context(), p))
		for _, at := range fronts[ip] {
			want := map[string]int{"foo": 20, "bar": 20, "baz": 20}
			if got := s.tally(t, at, 60); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %v, want %v", at, got, want)
			}
		}
		// One that is left out gets nothing, although it still listens.
		p.Replicas = s.replicas[1:]
		no(t, b.Replace(t.Context(), p))
		if got := s.tally(t, fronts[ip][0], 30); got["bar"] != 15 || got["baz"] != 15 {
			t.Errorf("%v, want 15 of bar and of baz", got)
		}
		for at, g := range b.attached[p.Name].(*reuseportGroups).groups {
			if err := g.sockets.Lookup(uint32(0), new(uint64)); len(g.slots) != 2 || !errors.Is(err, ebpf.ErrKeyNotExist) {
				t.Errorf("%s: the slot of the one that is left out is not free: %v, %v", at, g.slots, err)
			}
		}
		// One that comes back, and weights.
		p.Replicas = append([]lab.Replica{}, s.replicas...)
		p.Replicas[0].Weight = 3
		no(t, b.Replace(t.Context(), p))
		if got := s.tally(t, fronts[ip][0], 50); got["foo"] != 30 || got["bar"] != 10 {
			t.Errorf("%v, want 30 of foo and 10 of the others", got)
		}
		// The share of one that ended goes to the others.
		s.processes["foo"].Kill()
		if got := s.tally(t, fronts[ip][0], 40); got["bar"]+got["baz"] != 40 {
			t.Errorf("%v, want that bar and baz answer", got)
		}
		no(t, b.Detach(t.Context(), p.Name))
		no(t, b.Detach(t.Context(), p.Name))
	})
}

func TestReuseportWantsAListeningReplica(t *testing.T) {
	s := sharing(t, lab.IPv4, "tcp", 1)
	b := newBPF(s.ns)
	supported(t, b, lab.BPFReuseport, lab.IPv4)
	p := lab.BPFProgram{
		Name: "front", Hook: lab.BPFReuseport, Method: lab.MethodTurn, Transport: "tcp", Front: fronts[lab.IPv4],
		Replicas: append(s.replicas, lab.Replica{Instance: "bar", Weight: 1}),
	}
	if err := b.Attach(t.Context(), p); err == nil || !strings.Contains(err.Error(), "bar at tcp 127.0.0.9:8080: no process") {
		t.Errorf("%v, want that bar does not listen", err)
	}
	p.Hook = lab.BPFReuseportClassic
	p.Method, p.Transport = lab.MethodRandom, "udp"
	if err := b.Attach(t.Context(), p); !errors.Is(err, ErrNobodyListens) {
		t.Errorf("%v, want that nobody listens", err)
	}
}

func TestLookupLeadsToSocketsElsewhere(t *testing.T) {
	for ip, ports := range map[lab.Family][3]string{
		lab.IPv4: {"127.0.0.1:9001", "127.0.0.1:9002", "127.0.0.1:9003"},
		lab.IPv6: {"[::1]:9001", "[::1]:9002", "[::1]:9003"},
	} {
		for _, method := range []string{lab.MethodRandom, lab.MethodTurn, lab.MethodHash} {
			t.Run(fmt.Sprint(method, ip), func(t *testing.T) {
				s := newScene(t, "tcp", []string{ports[0]}, []string{ports[1]}, []string{ports[2]})
				lookupLeads(t, s, ip, method)
			})
		}
	}
}

func lookupLeads(t *testing.T, s *bpfScene, ip lab.Family, method string) {
	b := newBPF(s.ns)
	supported(t, b, lab.BPFLookup, ip)
	p := lab.BPFProgram{Name: "front", Hook: lab.BPFLookup, Method: method, Transport: "tcp", Front: fronts[ip], Replicas: s.replicas}
	s.refused(t, s.ns, fronts[ip][0])
	no(t, b.Attach(t.Context(), p))
	if err := b.Attach(t.Context(), p); err == nil {
		t.Error("attached twice")
	}
	for _, at := range fronts[ip] {
		near(t, s.tally(t, at, 300), map[string]float64{"foo": 1. / 3, "bar": 1. / 3, "baz": 1. / 3})
	}
	s.onlyTheFront(t, ip)
	p.Replicas = append([]lab.Replica{}, s.replicas[1:]...)
	p.Replicas[0].Weight = 3
	no(t, b.Replace(t.Context(), p))
	near(t, s.tally(t, fronts[ip][0], 300), map[string]float64{"foo": 0, "bar": .75, "baz": .25})
	s.processes["bar"].Kill()
	if got := s.tally(t, fronts[ip][0], 20); got["baz"] != 20 {
		t.Errorf("%v, want that baz answers alone", got)
	}
	no(t, b.Detach(t.Context(), p.Name))
	s.refused(t, s.ns, fronts[ip][0])
}

// onlyTheFront asks beside the front: at another port, and at another address.
func (s *bpfScene) onlyTheFront(t *testing.T, ip lab.Family) {
	t.Helper()
	s.refused(t, s.ns, netip.AddrPortFrom(fronts[ip][0].Addr(), 8081))
	if ip == lab.IPv4 { // of IPv6 there is one loopback address
		s.refused(t, s.ns, netip.MustParseAddrPort("127.0.0.8:8080"))
	}
}

func TestConnectIsLedInItsOwnNamespaceOnly(t *testing.T) {
	for ip, at := range map[lab.Family][2]string{
		lab.IPv4: {"127.0.0.2:9001", "127.0.0.3:9002"}, lab.IPv6: {"[::1]:9001", "[::1]:9002"},
	} {
		for _, transport := range []string{"tcp", "udp"} {
			t.Run(fmt.Sprint(transport, ip), func(t *testing.T) {
				s := newScene(t, transport, []string{at[0]}, []string{at[1]})
				connectLeads(t, s, ip)
			})
		}
	}
}

func connectLeads(t *testing.T, s *bpfScene, ip lab.Family) {
	b := newBPF(s.ns)
	supported(t, b, lab.BPFConnect, ip)
	p := lab.BPFProgram{
		Name: "front", Hook: lab.BPFConnect, Method: lab.MethodRandom, Transport: s.transport, Front: fronts[ip], Replicas: s.replicas,
	}
	no(t, b.Attach(t.Context(), p))
	for _, front := range fronts[ip] {
		near(t, s.tally(t, front, 200), map[string]float64{"foo": .5, "bar": .5})
	}
	if s.transport == "udp" {
		s.unconnected(t, fronts[ip][0])
	}
	s.onlyTheFront(t, ip)
	elsewhere := newNamespace(t)
	s.refused(t, elsewhere, fronts[ip][0])
	p.Replicas = s.replicas[1:]
	no(t, b.Replace(t.Context(), p))
	if got := s.tally(t, fronts[ip][0], 20); got["bar"] != 20 {
		t.Errorf("%v, want bar alone", got)
	}
	no(t, b.detachAll(t.Context()))
	s.refused(t, s.ns, fronts[ip][0])
}

// However the process ends that attached a program, the program goes with it.
func TestProgramEndsWithItsHolder(t *testing.T) {
	for _, hook := range []lab.BPFHook{lab.BPFLookup, lab.BPFConnect} {
		t.Run(string(hook), func(t *testing.T) {
			s := newScene(t, "tcp", []string{"127.0.0.2:9001"}, []string{"127.0.0.3:9002"})
			supported(t, newBPF(s.ns), hook, lab.IPv4)
			p := lab.BPFProgram{
				Name: "front", Run: "aaaaaa", Hook: hook, Method: lab.MethodTurn, Transport: "tcp", Front: fronts[lab.IPv4], Replicas: s.replicas,
			}
			holder, err := Start(t.Context(), s.ns, Command{Path: "/proc/self/exe", Args: append([]string{"act-attach"}, p.Words()...)})
			no(t, err)
			t.Cleanup(holder.Kill)
			no(t, poll(t.Context(), func() (bool, error) { return strings.Contains(holder.Output(), "attached"), nil }))
			if got := s.tally(t, fronts[lab.IPv4][0], 10); got["foo"] != 5 || got["bar"] != 5 {
				t.Errorf("%v, want 5 of each", got)
			}
			holder.Kill()
			no(t, poll(t.Context(), func() (bool, error) {
				_, err := s.ask(t.Context(), s.ns, fronts[lab.IPv4][0])
				return errors.Is(err, unix.ECONNREFUSED), nil // the kernel lets go of it a moment later
			}))
		})
	}
}

// unconnected sends with sendto(2): answers of all come, and from the front.
func (s *bpfScene) unconnected(t *testing.T, front netip.AddrPort) {
	t.Helper()
	var c net.PacketConn
	no(t, s.ns.Do(t.Context(), func() (err error) {
		c, err = net.ListenPacket("udp", netip.AddrPortFrom(front.Addr(), 0).String())
		return err
	}))
	defer c.Close()
	no(t, c.SetDeadline(time.Now().Add(10*time.Second)))
	counts := map[string]int{}
	for range 100 {
		_, err := c.WriteTo([]byte("who"), net.UDPAddrFromAddrPort(front))
		no(t, err)
		text := make([]byte, 64)
		n, from, err := c.ReadFrom(text)
		no(t, err)
		if from.String() != front.String() {
			t.Fatalf("an answer comes from %s, want %s", from, front)
		}
		counts[string(text[:n])]++
	}
	near(t, counts, map[string]float64{"foo": .5, "bar": .5})
}
