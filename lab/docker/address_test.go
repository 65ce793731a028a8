package docker

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
)

// Two runs side by side must not share an address, and none may leave the
// range that is set aside for benchmarks.
func TestSlotsAreApart(t *testing.T) {
	benchmarks := netip.MustParsePrefix("198.18.0.0/15")
	var seen []netip.Prefix
	for k := range slots {
		l := layoutOf(k)
		for _, p := range []netip.Prefix{l.subnet, l.lan} {
			if !benchmarks.Overlaps(p) || p.Bits() < benchmarks.Bits() {
				t.Errorf("slot %d: %s is outside of %s", k, p, benchmarks)
			}
			if overlaps(seen, p) {
				t.Errorf("slot %d: %s is another slot's, too", k, p)
			}
			seen = append(seen, p)
		}
	}
}

func TestEveryReplicaHasAnAddressOfItsOwn(t *testing.T) {
	l := layoutOf(slots - 1)
	seen := map[netip.Addr]bool{l.gateway: true}
	for i := range maxReplicas {
		a := l.replica(i)
		if !l.subnet.Contains(a) || seen[a] {
			t.Fatalf("replica %d gets %s of %s", i, a, l.subnet)
		}
		seen[a] = true
	}
}

func TestPortInUseIsRefusedAndItsOwnerNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, _, err = takePort(t.Context(), lab.FleetSpec{Port: uint16(l.Addr().(*net.TCPAddr).Port)})
	var no *lab.UnsupportedError
	if !errors.As(err, &no) {
		t.Fatalf("got %v, want an UnsupportedError", err)
	}
	if self := strconv.Itoa(os.Getpid()); !strings.Contains(no.Reason, self) {
		t.Errorf("%q does not name the process %s that listens", no.Reason, self)
	}
}

// A port is looked at in the transport that will use it.
func TestPortIsThatOfATransport(t *testing.T) {
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	spec := lab.FleetSpec{Port: uint16(udp.LocalAddr().(*net.UDPAddr).Port)}
	_, claim, err := takePort(t.Context(), spec)
	if err != nil {
		t.Fatalf("for TCP: %v", err)
	}
	if err := claim.Close(); err != nil {
		t.Error(err)
	}
	spec.Protocol = lab.UDP
	_, _, err = takePort(t.Context(), spec)
	if no, ok := errors.AsType[*lab.UnsupportedError](err); !ok || !strings.Contains(no.Reason, strconv.Itoa(os.Getpid())) {
		t.Errorf("for UDP: %v, want an UnsupportedError that names this process", err)
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	spec.Port = uint16(tcp.Addr().(*net.TCPAddr).Port)
	spec.Placement = lab.HostNetns
	if _, _, err = takePort(t.Context(), spec); !errors.Is(err, lab.ErrUnsupported) {
		t.Errorf("for replicas that answer on the host by TCP too: %v", err)
	}
}

// Each client has an address on the LAN that is not the host's.
func TestEveryClientHasAnAddressOfItsOwn(t *testing.T) {
	l := layoutOf(slots - 1)
	for _, a := range kernel.Consecutive(l.client, lab.MaxClients) {
		if a == l.host || !l.clients(lab.MaxClients).Contains(a) || !l.lan.Contains(a) {
			t.Fatalf("a client is %s on %s", a, l.lan)
		}
	}
	if one := l.clients(0); !one.IsSingleIP() || one.Addr() != l.client {
		t.Errorf("one client is %s", one)
	}
}

func TestPortOfAnotherRunIsPassedOver(t *testing.T) {
	first, claim, err := takePort(t.Context(), lab.FleetSpec{})
	if err != nil {
		t.Fatal(err)
	}
	defer claim.Close()
	second, claim, err := takePort(t.Context(), lab.FleetSpec{})
	if err != nil {
		t.Fatal(err)
	}
	defer claim.Close()
	if first == second {
		t.Errorf("both runs get port %d", first)
	}
}
