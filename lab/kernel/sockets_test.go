package kernel

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab"
)

// A socket of UDP takes datagrams, shares its port where it is told to, and is
// refused where the port is in use, whatever TCP does there.
func TestListenMakesSocketsOfUDP(t *testing.T) {
	ns := newNamespace(t)
	s := lab.Socket{Address: netip.MustParseAddrPort("127.0.0.1:8080"), Transport: "udp", ReusePort: true}
	var open []*os.File
	for range 2 {
		f, err := Listen(t.Context(), ns, s)
		no(t, err)
		open = append(open, f)
	}
	s.Transport = "tcp"
	f, err := Listen(t.Context(), ns, s)
	no(t, err)
	no(t, f.Close())

	alone := lab.Socket{Address: s.Address, Transport: "udp"}
	_, err = Listen(t.Context(), ns, alone)
	refused, ok := errors.AsType[*lab.RefusedError](err)
	if !ok || !strings.Contains(refused.Error(), "port 8080 belongs to ") {
		t.Errorf("%v, want a refusal that says by whom", err)
	}
	if owners, err := WhoListens(t.Context(), ns, "tcp", 8080); err != nil || len(owners) > 0 {
		t.Errorf("%v have the TCP port, %v", owners, err)
	}
	no(t, open[1].Close())
	c, err := net.FilePacketConn(open[0])
	no(t, err)
	defer c.Close()
	no(t, open[0].Close())
	no(t, ns.Do(t.Context(), func() error {
		out, err := net.Dial("udp4", alone.Address.String())
		if err != nil {
			return err
		}
		_, err = out.Write([]byte("hello"))
		return errors.Join(err, out.Close())
	}))
	got := make([]byte, 16)
	n, _, err := c.ReadFrom(got)
	if err != nil || string(got[:n]) != "hello" {
		t.Errorf("%q came, %v", got[:n], err)
	}
}
