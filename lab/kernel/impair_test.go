package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
)

// path is two namespaces on a link.
type path struct {
	host, client End
	server       net.PacketConn
	caller       net.Conn
}

// newPath is a path that can be impaired, or the test is skipped.
func newPath(t *testing.T) *path {
	t.Helper()
	p := &path{
		host:   End{In: newNamespace(t), Name: "lan0", Address: netip.MustParsePrefix("198.19.0.1/24")},
		client: End{In: newNamespace(t), Name: "eth0", Address: netip.MustParsePrefix("198.19.0.2/24"), Gateway: netip.MustParseAddr("198.19.0.1")},
	}
	err := (&Host{}).CheckImpair(t.Context())
	labtest.Require(t, "netem", !errors.Is(err, lab.ErrUnsupported), fmt.Sprint(err))
	no(t, err)
	no(t, CreateVeth(t.Context(), lab.NewRunID(), p.host, p.client))
	no(t, AwaitLinks(t.Context(), p.host, p.client))
	at := "198.19.0.1:8080"
	no(t, p.host.In.Do(t.Context(), func() (err error) {
		p.server, err = net.ListenPacket("udp4", at)
		return err
	}))
	t.Cleanup(func() { no(t, p.server.Close()) })
	raw, err := p.server.(*net.UDPConn).SyscallConn()
	no(t, err)
	no(t, raw.Control(func(fd uintptr) { // above net.core.rmem_max: nothing may be lost but by the path (socket(7))
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20)
	}))
	no(t, err)
	no(t, p.client.In.Do(t.Context(), func() (err error) {
		p.caller, err = net.Dial("udp4", at)
		return err
	}))
	t.Cleanup(func() { no(t, p.caller.Close()) })
	return p
}

// impair does what the text says to both ends.
func (p *path) impair(t *testing.T, text string) {
	t.Helper()
	to, err := lab.ParseImpairment(text)
	no(t, err)
	no(t, Impair(t.Context(), to, p.client, p.host))
}

// send sends n numbered datagrams to the host and gives what came, in order.
func (p *path) send(t *testing.T, n int) []uint32 {
	t.Helper()
	for i := range n {
		no(t, write(p.caller, string(binary.BigEndian.AppendUint32(nil, uint32(i)))))
	}
	return p.received(t)
}

// received is what has come to the host and what comes until nothing does.
func (p *path) received(t *testing.T) []uint32 {
	t.Helper()
	var all []uint32
	b := make([]byte, 16)
	for {
		no(t, p.server.SetReadDeadline(time.Now().Add(time.Second)))
		n, _, err := p.server.ReadFrom(b)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return all
		}
		no(t, err)
		if n == 4 {
			all = append(all, binary.BigEndian.Uint32(b))
		}
	}
}

// roundTrip is how long a datagram takes to the host and back.
func (p *path) roundTrip(t *testing.T) time.Duration {
	t.Helper()
	b := make([]byte, 16)
	deadline := time.Now().Add(10 * time.Second)
	no(t, p.server.SetReadDeadline(deadline))
	no(t, p.caller.SetReadDeadline(deadline))
	begun := time.Now()
	no(t, write(p.caller, "question"))
	no(t, reply(p.server, b))
	_, err := p.caller.Read(b)
	no(t, err)
	return time.Since(begun)
}

// discipline is what the kernel says that an end does.
func discipline(t *testing.T, e End) *netlink.Netem {
	t.Helper()
	var found *netlink.Netem
	no(t, e.In.Do(t.Context(), func() error {
		link, err := netlink.LinkByName(e.Name)
		if err != nil {
			return err
		}
		all, err := netlink.QdiscList(link)
		for _, q := range all {
			if n, ok := q.(*netlink.Netem); ok && n.Parent == netlink.HANDLE_ROOT {
				found = n
			}
		}
		return err
	}))
	if found == nil {
		t.Fatalf("%s has no NETEM", e.Name)
	}
	return found
}

// The kernel is told every quantity in its own unit, of both ends, and what
// follows leaves nothing of what was before.
func TestTheKernelKnowsAnImpairmentAsItWasAskedFor(t *testing.T) {
	p := newPath(t)
	p.impair(t, "delay=20ms,jitter=5ms,loss=50%,duplicate=25%,corrupt=100%,reorder=75%,rate=8mbit,limit=77")
	for _, e := range []End{p.host, p.client} {
		q := discipline(t, e)
		const half = 1<<31 - 1 // of 32 bits
		if q.Latency != 20_000_000/64 || q.Jitter != 5_000_000/64 || q.Limit != 77 || q.Rate64 != 1_000_000 || q.Gap != 1 {
			t.Errorf("%s: %+v", e.Name, q)
		}
		if q.Loss-half > 1 || q.Duplicate-half/2 > 1 || q.CorruptProb != 1<<32-1 || q.ReorderProb-half/2*3 > 3 {
			t.Errorf("%s: loss %x, duplicate %x, corrupt %x, reorder %x", e.Name, q.Loss, q.Duplicate, q.CorruptProb, q.ReorderProb)
		}
	}
	p.impair(t, "delay=1ms")
	for _, e := range []End{p.host, p.client} {
		q := discipline(t, e)
		left := netlink.Netem{QdiscAttrs: q.QdiscAttrs, Latency: 1_000_000 / 64, Limit: lab.DefaultImpairedPackets}
		if *q != left {
			t.Errorf("%s: %+v, want %+v", e.Name, *q, left)
		}
	}
}

func TestAPathThatIsImpairedNoMorePassesEverythingInOrder(t *testing.T) {
	p := newPath(t)
	p.impair(t, "delay=1ms,loss=100%,corrupt=100%,rate=1kbit")
	if got := p.send(t, 10); len(got) > 0 {
		t.Errorf("%d of 10 datagrams came though all are lost", len(got))
	}
	p.impair(t, "none")
	got := p.send(t, 500)
	if len(got) != 500 {
		t.Errorf("%d of 500 datagrams came", len(got))
	}
	for i, x := range got {
		if x != uint32(i) {
			t.Fatalf("datagram %d came as number %d", x, i)
		}
	}
}

// Of 2,000 datagrams of which a tenth is lost, 1,720 to 1,880 come but for one
// run in 10^8: six standard deviations.
func TestLossIsAsItWasAskedFor(t *testing.T) {
	p := newPath(t)
	p.impair(t, "loss=10%")
	if got := len(p.send(t, 2000)); got < 1720 || got > 1880 {
		t.Errorf("%d of 2000 datagrams came, want some 1800", got)
	}
}

func TestADelayIsOnBothWays(t *testing.T) {
	p := newPath(t)
	p.impair(t, "delay=50ms")
	if got := p.roundTrip(t); got < 100*time.Millisecond {
		t.Errorf("a round trip took %s, with 50 ms each way", got)
	}
}

func TestDuplicatesReorderedAndCorrupted(t *testing.T) {
	p := newPath(t)
	p.impair(t, "duplicate=100%")
	if got := len(p.send(t, 100)); got != 200 {
		t.Errorf("of 100 datagrams that are all sent twice, %d came", got)
	}
	p.impair(t, "delay=100ms,reorder=50%")
	before := 0
	for i, x := range p.send(t, 100) {
		if int(x) != i {
			before++
		}
	}
	if before == 0 {
		t.Error("100 datagrams of which half is held came in order")
	}
	p.impair(t, "corrupt=100%")
	// One bit is turned over: somewhere in 46 bytes, of which a checksum covers all
	// but the hardware addresses, and those are not the host's then.
	if got := len(p.send(t, 100)); got > 50 {
		t.Errorf("of 100 datagrams that are all corrupted, %d were taken as good", got)
	}
}

// What a path holds when it is made worse or better still arrives.
func TestAChangeLosesNothingThatThePathHolds(t *testing.T) {
	p := newPath(t)
	p.impair(t, "delay=300ms")
	for range 50 {
		no(t, write(p.caller, "held"))
	}
	p.impair(t, "none")
	b, came := make([]byte, 16), 0
	for came < 50 {
		no(t, p.server.SetReadDeadline(time.Now().Add(10*time.Second)))
		if _, _, err := p.server.ReadFrom(b); err != nil {
			t.Fatalf("%d of 50 datagrams came: %v", came, err)
		}
		came++
	}
}

func TestImpairSaysWhichLinkThereIsNot(t *testing.T) {
	p := newPath(t)
	err := Impair(t.Context(), lab.Impairment{LossPercent: 1}, p.client, End{In: p.host.In, Name: "lan1"})
	if err == nil || errors.Is(err, lab.ErrUnsupported) {
		t.Errorf("error %v", err)
	}
}
