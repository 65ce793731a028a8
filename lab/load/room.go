package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/portlab/portlab/lab"
)

// room is a mount namespace in which resolv.conf(5) names one server of DNS, so
// that a program of the C library's can be started there which asks it, and
// nothing else on the machine does. A process holds it; it goes with that.
type room struct {
	at     lab.Place
	holder *exec.Cmd
	door   io.Closer // the holder's standard input: it ends when that does
}

// furnish mounts the files: a file system in memory gives them, and is taken
// out of the way again. What nscd(8) has cached is not to be seen either.
const furnish = `set -e
mount -t tmpfs portlab /tmp
echo "nameserver $1" > /tmp/resolv.conf
echo "hosts: files dns" > /tmp/nsswitch.conf
mount --bind /tmp/resolv.conf /etc/resolv.conf
if [ -e /etc/nsswitch.conf ]; then mount --bind /tmp/nsswitch.conf /etc/nsswitch.conf; fi
if [ -d /run/nscd ]; then mount -t tmpfs portlab /run/nscd; fi
umount -l /tmp
echo ready
exec cat`

// dnsPort is the only one that the C library asks (resolv.conf(5)).
const dnsPort = 53

// roomPatience is how long a room may take to be furnished.
const roomPatience = 10 * time.Second

// openRoom makes a room at a place. It returns a lab.UsageError for a server at
// another port than 53, and a lab.UnsupportedError where there may be no room.
func openRoom(ctx context.Context, at lab.Place, server netip.AddrPort) (*room, error) {
	if server.Port() != dnsPort {
		return nil, lab.Usagef("the C library asks servers of DNS at port %d alone, not at %s", dnsPort, server)
	}
	for _, program := range []string{"unshare", "nsenter", "mount", "getent"} {
		if _, err := exec.LookPath(program); err != nil {
			return nil, noRoom(err.Error(), "apt-get install util-linux mount libc-bin, or use the client go")
		}
	}
	cmd := exec.Command("unshare", "--mount", "sh", "-c", furnish, "sh", server.Addr().String()) //nolint:noctx // close ends it
	said := &tailWriter{most: curlLog}
	cmd.Stderr = said
	door, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := at.Do(ctx, cmd.Start); err != nil {
		return nil, fmt.Errorf("make a mount namespace: %w", err)
	}
	r := &room{at: at, holder: cmd, door: door}
	late := time.AfterFunc(roomPatience, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		r.close()
		return nil, noRoom(strings.TrimSpace(string(said.bytes())), "run as root or with --runtime netns, or use the client go")
	}
	return r, nil
}

func noRoom(reason, remedy string) error {
	return &lab.UnsupportedError{What: "a resolv.conf of the client's own, in a mount namespace", Reason: reason, Remedy: remedy}
}

// close ends the holder, and with it the room.
func (r *room) close() {
	_ = r.door.Close()
	_ = r.holder.Wait() // all that it said was read when it was furnished
}

// command is a program that is to be started in the room.
func (r *room) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	inside := append([]string{"--mount=/proc/" + strconv.Itoa(r.holder.Process.Pid) + "/ns/mnt", "--", program}, args...)
	cmd := exec.CommandContext(ctx, "nsenter", inside...)
	cmd.WaitDelay = time.Second
	return cmd
}

// getentNotFound is the exit status of getent(1) for a name that has no address.
const getentNotFound = 2

// errNoName is what errors.Is finds where the C library gives no address.
var errNoName = errors.New("getaddrinfo gives no address")

// lookUp gives the addresses of a name as getaddrinfo(3) gives them, in its
// order (RFC 6724).
func (r *room) lookUp(ctx context.Context, name string) ([]netip.Addr, error) {
	var out, said strings.Builder
	cmd := r.command(ctx, "getent", "ahosts", name)
	cmd.Stdout, cmd.Stderr = &out, &said
	err := r.at.Do(ctx, cmd.Start)
	if err == nil {
		err = cmd.Wait()
	}
	exit, exited := errors.AsType[*exec.ExitError](err)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case exited && exit.ExitCode() == getentNotFound:
		return nil, fmt.Errorf("%w for %s", errNoName, name)
	case err != nil:
		return nil, fmt.Errorf("getent ahosts %s: %w: %s", name, err, said.String())
	}
	return parseAhosts(out.String())
}

// parseAhosts reads what `getent ahosts` prints: a line for each address and
// type of socket, such as "198.18.0.2  STREAM web.portlab.test".
func parseAhosts(text string) ([]netip.Addr, error) {
	var all []netip.Addr
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 || words[1] != "STREAM" {
			continue
		}
		a, err := netip.ParseAddr(words[0])
		if err != nil {
			return nil, fmt.Errorf("read what getent printed: %w", err)
		}
		all = append(all, a)
	}
	if len(all) == 0 {
		return nil, errNoName
	}
	return all, nil
}
