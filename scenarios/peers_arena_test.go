package scenarios_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/portlab/portlab/lab/kernel"
	"github.com/portlab/portlab/lab/labtest"
)

// An arena is a network namespace with nothing in it but a loopback and one
// http_server. Each measurement has one of its own, which ends with it, so that
// all begin alike: no port is in TIME-WAIT from the tool before, and none of
// the machine's firewall rules and tracked connections is on the path. A
// client that closes first would else leave its port busy for a minute, and
// the next tool would meet some 14,000 of them.
type arena struct {
	server *exec.Cmd
	errors bytes.Buffer
}

const (
	arenaPort    = 8080
	arenaAddress = "http://127.0.0.1:8080"
)

// newArena starts the server and waits until it listens.
func newArena(t testing.TB) *arena {
	t.Helper()
	words := []string{"--net"}
	if !kernel.MayMakeNamespaces() {
		words = []string{"--user", "--map-root-user", "--net"}
	}
	server := filepath.Join(filepath.Dir(labtest.Binary(t)), "http_server")
	// timeout(1) ends it if this process dies and cannot.
	words = append(words, "sh", "-c", `ip link set lo up && exec timeout --foreground 10m "$0"`, server)
	a := &arena{server: exec.Command("unshare", words...)}
	a.server.Env = append(os.Environ(), "HOST=127.0.0.1", fmt.Sprint("PORT=", arenaPort), "INSTANCE=foo")
	a.server.Stderr = &a.errors
	if err := a.server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if a.server.ProcessState == nil {
			a.close(t)
		}
	})
	for end := time.Now().Add(5 * time.Second); a.sockets(t)[tcpListen].server == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the server does not listen: %s", a.errors.String())
		}
	}
	return a
}

// enter is the words of a command in the arena; nsenter(1) becomes it.
func (a *arena) enter(words ...string) []string {
	enter := []string{"nsenter", "--target", strconv.Itoa(a.server.Process.Pid), "--net"}
	if !kernel.MayMakeNamespaces() {
		enter = append(enter, "--user", "--preserve-credentials")
	}
	return append(enter, words...)
}

// close ends the server, and with it the namespace and all that waits in it.
// It gives the server's CPU time.
func (a *arena) close(t testing.TB) time.Duration {
	t.Helper()
	if err := a.server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := a.server.Wait(); err != nil {
		t.Errorf("the server: %v: %s", err, a.errors.String())
	}
	return a.server.ProcessState.UserTime() + a.server.ProcessState.SystemTime()
}

// command runs words in the arena, at most until limit. It gives what they
// wrote to standard output and the CPU time of all their processes: wait4(2)
// adds that of the children that each has waited for.
func (a *arena) command(limit time.Duration, words ...string) ([]byte, time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	words = a.enter(words...)
	c := exec.CommandContext(ctx, words[0], words[1:]...)
	c.WaitDelay = time.Second
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err := c.Run()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	if c.ProcessState == nil {
		return nil, 0, err
	}
	return stdout.Bytes(), c.ProcessState.UserTime() + c.ProcessState.SystemTime(), err
}

// The states of a TCP socket, as /proc/net/tcp has them (proc_net_tcp(5)).
const (
	tcpTimeWait = 0x06
	tcpListen   = 0x0A
)

// sides counts sockets by whose port they hold.
type sides struct{ server, client int }

// sockets counts the arena's TCP sockets by state.
func (a *arena) sockets(t testing.TB) map[uint64]sides {
	t.Helper()
	table, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/tcp", a.server.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return socketsIn(string(table))
}

// socketsIn reads the table of /proc/net/tcp.
func socketsIn(table string) map[uint64]sides {
	count := map[uint64]sides{}
	for line := range strings.Lines(table) {
		f := strings.Fields(line) // number, local, remote, state, ...
		if len(f) < 4 {
			continue
		}
		state, err := strconv.ParseUint(f[3], 16, 8)
		if err != nil {
			continue // the heading
		}
		s := count[state]
		if strings.HasSuffix(f[1], fmt.Sprintf(":%04X", arenaPort)) {
			s.server++
		} else {
			s.client++
		}
		count[state] = s
	}
	return count
}

// served asks the server how many requests it has answered on how many
// connections, those of the question left out.
func (a *arena) served() (requests, connections int, err error) {
	out, _, err := a.command(10*time.Second, "curl", "--silent", "--fail", "--noproxy", "*", arenaAddress+"/metrics")
	if err != nil {
		return 0, 0, fmt.Errorf("ask the server what it counted: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) != 2 || strings.HasPrefix(line, "#") {
			continue
		}
		n, err := strconv.ParseFloat(f[1], 64)
		if err != nil {
			return 0, 0, err
		}
		switch name, _, _ := strings.Cut(f[0], "{"); name {
		case "portlab_requests_total":
			requests += int(n)
		case "portlab_connections_accepted_total":
			connections += int(n) - 1
		}
	}
	return requests, connections, nil
}

// Whose port a socket holds in TIME-WAIT says who closed first.
func TestSidesOfSockets(t *testing.T) {
	got := socketsIn(`  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 31337 1
   1: 0100007F:1F90 0100007F:C0DE 06 00000000:00000000 03:000016D8 00000000     0        0 0 3
   2: 0100007F:C0E0 0100007F:1F90 06 00000000:00000000 03:000016D8 00000000     0        0 0 3
   3: 0100007F:1F90 0100007F:C0E2 06 00000000:00000000 03:000016D8 00000000     0        0 0 3
   4: 0100007F:C0E4 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 4711 1
`)
	if got[tcpTimeWait] != (sides{server: 2, client: 1}) || got[tcpListen] != (sides{server: 1}) {
		t.Errorf("%v", got)
	}
}
