package kernel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

func init() { acts["act-replica"], acts["act-attach"] = actReplica, actAttach }

// actAttach attaches the program of these words and holds it.
func actAttach(words []string) error {
	own, err := Own()
	if err != nil {
		return err
	}
	p, err := lab.ParseBPFProgram(words)
	if err != nil {
		return err
	}
	if err := newBPF(own).Attach(context.Background(), p); err != nil {
		return err
	}
	fmt.Println("attached")
	select {}
}

// actReplica answers with its instance's name at addresses that it shares.
func actReplica(args []string) error {
	for _, address := range args[1:] {
		s := lab.Socket{Address: netip.MustParseAddrPort(address), Transport: args[0], ReusePort: true}
		own, err := Own()
		if err != nil {
			return err
		}
		f, err := Listen(context.Background(), own, s)
		if err != nil {
			return err
		}
		if args[0] == "udp" {
			c, err := net.FilePacketConn(f)
			if err != nil {
				return err
			}
			go answerDatagrams(c)
			continue
		}
		l, err := net.FileListener(f)
		if err != nil {
			return err
		}
		go answerConnections(l)
	}
	fmt.Println("listening")
	select {}
}

func answerDatagrams(c net.PacketConn) {
	for {
		_, from, err := c.ReadFrom(make([]byte, 64))
		if err != nil {
			return
		}
		_, _ = c.WriteTo([]byte(os.Getenv("INSTANCE")), from) // who asked sees that it is missing
	}
}

func answerConnections(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = io.WriteString(c, os.Getenv("INSTANCE")) // as above
		_ = c.Close()
	}
}

// bpfScene is a host with replicas, each a process.
type bpfScene struct {
	ns        *Namespace
	transport string
	replicas  []lab.Replica
	processes map[string]*Process
}

// newScene starts as many replicas as there are lists of addresses, one after
// the other.
func newScene(t *testing.T, transport string, addresses ...[]string) *bpfScene {
	t.Helper()
	s := &bpfScene{ns: newNamespace(t), transport: transport, processes: map[string]*Process{}}
	for i, list := range addresses {
		r := lab.Replica{Instance: lab.InstanceName(i), Address: netip.MustParseAddrPort(list[0]), Weight: 1}
		s.start(t, r.Instance, list)
		s.replicas = append(s.replicas, r)
	}
	return s
}

func (s *bpfScene) start(t *testing.T, instance string, addresses []string) {
	t.Helper()
	p, err := Start(t.Context(), s.ns, Command{
		Path: "/proc/self/exe", Args: append([]string{"act-replica", s.transport}, addresses...), Env: []string{"INSTANCE=" + instance},
	})
	no(t, err)
	t.Cleanup(p.Kill)
	s.processes[instance] = p
	no(t, poll(t.Context(), func() (bool, error) { return strings.Contains(p.Output(), "listening"), nil }))
}

// ask gives who answers at an address.
func (s *bpfScene) ask(ctx context.Context, from *Namespace, at netip.AddrPort) (name string, err error) {
	var c net.Conn
	err = from.Do(ctx, func() (err error) {
		c, err = net.DialTimeout(s.transport, at.String(), 5*time.Second)
		return err
	})
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	if s.transport == "tcp" {
		text, err := io.ReadAll(c)
		return string(text), err
	}
	text := make([]byte, 64)
	_, wrote := c.Write([]byte("who"))
	n, err := c.Read(text)
	return string(text[:n]), errors.Join(wrote, err)
}

// tally asks n times and counts by who answered.
func (s *bpfScene) tally(t *testing.T, at netip.AddrPort, n int) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for range n {
		name, err := s.ask(t.Context(), s.ns, at)
		no(t, err)
		counts[name]++
	}
	return counts
}

// refused says whether nobody listens at an address.
func (s *bpfScene) refused(t *testing.T, from *Namespace, at netip.AddrPort) {
	t.Helper()
	if name, err := s.ask(t.Context(), from, at); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("%s: %q answers, %v, want that nobody listens", at, name, err)
	}
}
