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
	_, _, err = takePort(t.Context(), uint16(l.Addr().(*net.TCPAddr).Port), loopback)
	var no *lab.UnsupportedError
	if !errors.As(err, &no) {
		t.Fatalf("got %v, want an UnsupportedError", err)
	}
	if self := strconv.Itoa(os.Getpid()); !strings.Contains(no.Reason, self) {
		t.Errorf("%q does not name the process %s that listens", no.Reason, self)
	}
}

func TestPortOfAnotherRunIsPassedOver(t *testing.T) {
	first, claim, err := takePort(t.Context(), 0, loopback)
	if err != nil {
		t.Fatal(err)
	}
	defer claim.Close()
	second, claim, err := takePort(t.Context(), 0, loopback)
	if err != nil {
		t.Fatal(err)
	}
	defer claim.Close()
	if first == second {
		t.Errorf("both runs get port %d", first)
	}
}
