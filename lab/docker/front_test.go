package docker

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab"
)

func TestFrontIsAtAnAddressOfThisMachinesOrAtNone(t *testing.T) {
	own, err := callable()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range own {
		if err := checkFront(lab.FleetSpec{FrontAddress: o.address}); err != nil {
			t.Errorf("%s: %v", o.address, err)
		}
	}
	if err := checkFront(lab.FleetSpec{}); err != nil {
		t.Error(err)
	}
	for _, text := range []string{"127.0.0.1", "0.0.0.0", "192.0.2.1", "2001:db8::1"} {
		err := checkFront(lab.FleetSpec{FrontAddress: netip.MustParseAddr(text)})
		if _, ok := errors.AsType[*lab.UsageError](err); !ok || !strings.Contains(err.Error(), "--front-address "+text) {
			t.Errorf("%s: error %v, want one of usage", text, err)
		}
	}
}

func TestClientOnAnotherMachineIsNotMadeHere(t *testing.T) {
	front, client := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	spec := lab.FleetSpec{Run: "k3f5a2", Replicas: 2, FrontAddress: front, Client: client, Placement: lab.OwnNetns}
	b := draft(spec, layoutOf(0), 8080, "")
	at := netip.AddrPortFrom(front, 8080)
	if b.Front.At(lab.External) != at || !slices.Contains(b.Facts.SidecarListen, at) {
		t.Errorf("the front is %+v, and sidecars listen at %v", b.Front, b.Facts.SidecarListen)
	}
	if b.Facts.Client != client || b.Facts.Clients != netip.PrefixFrom(client, 32) {
		t.Errorf("the clients are %s in %s, want %s alone", b.Facts.Client, b.Facts.Clients, client)
	}
	if by := strings.Join(slices.Concat(b.Shell, b.Undo), "\n"); strings.Contains(by, "ip netns") {
		t.Errorf("by hand a client is made:\n%s", by)
	}
	_, err := (&fleet{spec: spec}).Place(t.Context(), lab.External)
	if !errors.Is(err, lab.ErrUnsupported) {
		t.Errorf("error %v: there is no place for it here", err)
	}
}

// TestFrontTakesNobodysPort has a port that is taken at the front's address alone.
func TestFrontTakesNobodysPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	at := netip.MustParseAddrPort(l.Addr().String())
	_, _, err = takePort(t.Context(), lab.FleetSpec{Port: at.Port(), FrontAddress: at.Addr()})
	if !errors.Is(err, lab.ErrUnsupported) || !strings.Contains(err.Error(), "in use by") {
		t.Errorf("error %v, want one of a port in use", err)
	}
	_, claim, err := takePort(t.Context(), lab.FleetSpec{Port: at.Port()})
	if err != nil {
		t.Fatalf("elsewhere the port is free: %v", err)
	}
	claim.Close()
}
