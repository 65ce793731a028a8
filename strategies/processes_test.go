package strategies

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
	"github.com/portlab/portlab/lab/labtest"
)

// crew are replicas on the real kernel that are processes, as those of a
// runtime are: what listens is theirs alone.
type crew struct {
	*world
	needs     lab.Needs
	server    string
	processes map[string]*kernel.Process
	shared    []*os.File // the sockets that all inherit
}

// newCrew makes a world for a strategy, with no replica yet.
func newCrew(t *testing.T, p place, s lab.Strategy) *crew {
	t.Helper()
	return &crew{
		world: newWorld(t, p.of(s), 0), needs: s.Needs(), processes: map[string]*kernel.Process{},
		server: filepath.Join(filepath.Dir(labtest.Binary(t)), "http_server"),
	}
}

// hire starts the i-th replica and returns when it listens.
func (c *crew) hire(t *testing.T, i int) {
	t.Helper()
	r := c.place.replicas(i, i+1)[0]
	ns, sockets := c.host, c.sockets(t)
	env := []string{"INSTANCE=" + r.Instance, "PORT=" + port(r.Address), "HOST=" + r.Address.Addr().String()}
	switch {
	case c.needs.Inherit != lab.InheritNone:
		env = append(env, fmt.Sprint("LISTEN_FDS=", len(sockets)))
	case c.needs.ReusePort:
		env = append(env, "REUSEPORT=1", "HOST="+c.front.Address.String()+","+c.front.Loopback.String())
	case c.needs.Placement == lab.OwnNetns:
		c.addPeer(t, r.Address.Addr())
		ns = c.peers[len(c.peers)-1]
	}
	p, err := kernel.Start(t.Context(), ns, kernel.Command{Run: c.facts.Run, Path: c.server, Env: env, Files: sockets})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	if c.needs.Inherit == lab.InheritOwn {
		for _, f := range sockets {
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	for !strings.Contains(p.Output(), "listening on") {
		select {
		case <-p.Done():
			t.Fatal(p.Err())
		case <-time.After(time.Millisecond):
		}
	}
	c.processes[r.Instance] = p
	c.replicas = append(c.replicas, r)
}

// sockets are those that a replica inherits.
func (c *crew) sockets(t *testing.T) []*os.File {
	t.Helper()
	if c.needs.Inherit == lab.InheritNone || c.shared != nil {
		return c.shared
	}
	var all []*os.File
	for _, at := range c.front.Endpoints() {
		f, err := kernel.Listen(t.Context(), c.host, lab.Socket{Address: at, ReusePort: c.needs.Inherit == lab.InheritOwn})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
	if c.needs.Inherit == lab.InheritShared {
		c.shared = all
		for _, f := range all {
			closing(t, f)
		}
	}
	return all
}

// hello asks the front for its answer, on a connection of its own, and gives
// who answered.
func (c *crew) hello(ctx context.Context, from *kernel.Namespace, at netip.AddrPort) (string, error) {
	conn, err := c.open(ctx, from, netip.Addr{}, at)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	_, wrote := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n")
	text, err := io.ReadAll(conn)
	_, name, said := strings.Cut(string(text), "Hello from ")
	if err := errors.Join(wrote, err); err != nil || !said {
		return "", fmt.Errorf("it said %q: %w", text, err)
	}
	return strings.TrimSpace(name), nil
}

// demand is clients that ask one after the other, until they are told to stop.
type demand struct {
	mu      sync.Mutex
	answers map[string]int
	lost    []error
	rounds  [4]atomic.Int64 // of each client
	stop    context.CancelFunc
	done    sync.WaitGroup
}

// ask starts clients at a place.
func (c *crew) ask(t *testing.T, from *kernel.Namespace, at netip.AddrPort) *demand {
	ctx, stop := context.WithCancel(t.Context())
	d := &demand{answers: map[string]int{}, stop: stop}
	for i := range d.rounds {
		d.done.Go(func() {
			for ctx.Err() == nil {
				name, err := c.hello(t.Context(), from, at)
				d.mu.Lock()
				if d.answers[name]++; err != nil {
					d.lost = append(d.lost, err)
				}
				d.mu.Unlock()
				d.rounds[i].Add(1)
			}
		})
	}
	return d
}

// settle returns when each client has asked anew twice, so that what was under
// way is answered.
func (d *demand) settle() {
	for i := range d.rounds {
		for until := d.rounds[i].Load() + 2; d.rounds[i].Load() < until; {
			time.Sleep(time.Millisecond)
		}
	}
}

// seen says whether a replica has answered.
func (d *demand) seen(instance string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.answers[instance] > 0
}

// end stops the clients and gives what became of their requests.
func (d *demand) end() (answers map[string]int, lost []error) {
	d.stop()
	d.done.Wait()
	return d.answers, d.lost
}
