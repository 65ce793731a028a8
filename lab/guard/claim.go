package guard

import (
	"errors"
	"net"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// Hold is the exclusive use of something that has a name, among all portlab
// processes of one network namespace. It ends with [Hold.Close] or with the
// process; where a guard sweeps after the process, not before it has swept.
type Hold struct {
	name string
	conn *net.UnixConn
}

// mine are this process's holds and guards. One lock spans both, so that each
// guard has each hold, whichever comes first.
var mine = struct {
	sync.Mutex
	holds  map[*Hold]bool
	guards map[*Guard]bool
}{holds: map[*Hold]bool{}, guards: map[*Guard]bool{}}

// Claim claims something by a name such as "slot-3" or "port-8080". It returns
// false if another claim of the name stands.
func Claim(name string) (*Hold, bool) {
	h, err := take("claim-" + name)
	if err != nil {
		return nil, false
	}
	mine.Lock()
	defer mine.Unlock()
	mine.holds[h] = true
	for g := range mine.guards {
		g.hold(h)
	}
	return h, true
}

// Close lets go of the name. It is idempotent.
func (h *Hold) Close() error {
	mine.Lock()
	defer mine.Unlock()
	if !mine.holds[h] {
		return nil
	}
	delete(mine.holds, h)
	for g := range mine.guards {
		g.drop(h)
	}
	return h.conn.Close()
}

// Alive says whether a run of this network namespace lives, or its guard has
// not swept yet. Where it cannot tell, it says so too: nothing is swept by
// mistake.
func Alive(id lab.RunID) bool {
	conn, err := net.DialUnix("unixgram", nil, address(runName(id)))
	if err == nil {
		_ = conn.Close() // it was only to see who answers
	}
	return !errors.Is(err, unix.ECONNREFUSED)
}

func runName(id lab.RunID) string { return "run-" + string(id) }

// take binds a name: a datagram socket, which has no queue of connections that
// could fill up.
func take(name string) (*Hold, error) {
	conn, err := net.ListenUnixgram("unixgram", address(name))
	if err != nil {
		return nil, err
	}
	return &Hold{name: name, conn: conn}, nil
}

func address(name string) *net.UnixAddr {
	return &net.UnixAddr{Net: "unixgram", Name: "@portlab-" + name}
}
