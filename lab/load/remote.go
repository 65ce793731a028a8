package load

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/portlab/portlab/lab"
)

// Remote is another machine, which load is offered from by way of ssh(1): the
// place of a client for [Process], and for no other driver. It holds a
// connection to the machine, over which those of its clients go, and there this
// very program. The machine takes the program away when that connection ends,
// however it ends.
type Remote struct {
	Machine lab.Machine
	Address netip.Addr // of its own, by which this machine reaches it
	Seen    netip.Addr // this machine's, as it is seen from there
	Home    string     // as [lab.Home] has it

	destination string
	system      string              // its kernel's name and its hardware's, as uname -sm has them
	as          *syscall.Credential // whose keys and settings ssh uses; nil: this user's
	shared      string              // the control socket; empty: each client connects for itself
	held        *child
	says        *bufio.Reader
	program     string // path of this program there; empty until it is there
}

// remoteScript is what the machine does while the connection is held.
//
//go:embed remote.sh
var remoteScript string

// longestSocket is how many bytes the path of a control socket may have: ssh
// appends 17 for a moment, and sun_path has 108 (unix(7)).
const longestSocket = 90

// Reach connects to a machine by ssh and finds out what it is. Destination is
// as ssh has it: [USER@]HOST, ssh://[USER@]HOST[:PORT], or a name of
// ~/.ssh/config. With as, ssh runs as another user. It returns a
// [lab.UsageError] for what is no destination and a [lab.UnsupportedError]
// where the machine cannot be reached without a question, or could not run this
// program. Nothing is written there.
func Reach(ctx context.Context, destination string, as *syscall.Credential) (*Remote, error) {
	if destination == "" || destination[0] == '-' || strings.ContainsFunc(destination, func(c rune) bool { return c <= ' ' }) {
		return nil, lab.Usagef("ssh reaches another machine by [USER@]HOST or a name of ~/.ssh/config, not by %q", destination)
	}
	r := &Remote{destination: destination, as: as}
	if path := filepath.Join(os.TempDir(), "portlab-ssh-"+rand.Text()[:12]); len(path) <= longestSocket {
		r.shared = path
	}
	cmd, err := r.ssh("yes", "sh -c "+lab.ShellWord(remoteScript))
	if err != nil {
		return nil, err
	}
	if r.held, err = startChild(ctx, Local{}, cmd, nil); err != nil {
		return nil, err
	}
	r.says = bufio.NewReader(r.held.answer)
	unwatch := context.AfterFunc(ctx, r.held.stop)
	defer unwatch()
	if err := r.meet(); err != nil {
		return nil, r.unreached(ctx, err)
	}
	if err := r.fits(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Do runs f here, on the calling goroutine: a client there is started from here.
func (r *Remote) Do(ctx context.Context, f func() error) error { return Local{}.Do(ctx, f) }

// Shell is the prefix of a command that runs there.
func (r *Remote) Shell() string { return "ssh " + lab.ShellWord(r.destination) }

// sshOptions are those with which ssh asks nothing, opens nothing but the way
// to a command, and notices within 15 s that the other end is gone
// (ssh_config(5)). What ~/.ssh/config says of a command or of ports to forward
// is for people who log in.
var sshOptions = []string{
	"BatchMode=yes", "ConnectTimeout=15", "ServerAliveInterval=5", "ServerAliveCountMax=3",
	"ClearAllForwardings=yes", "RemoteCommand=none", "PermitLocalCommand=no", "LogLevel=ERROR",
}

// ssh runs a command there; master is yes for the connection that others go
// over, and no for those.
func (r *Remote) ssh(master, command string) (*exec.Cmd, error) {
	path, err := exec.LookPath("ssh")
	if err != nil {
		return nil, &lab.UnsupportedError{
			What: "a client on another machine", Reason: "there is no ssh on this one: " + err.Error(), Remedy: "apt-get install openssh-client",
		}
	}
	words := []string{"-T"}
	for _, o := range sshOptions {
		words = append(words, "-o", o)
	}
	if r.shared != "" {
		words = append(words, "-o", "ControlMaster="+master, "-o", "ControlPath="+r.shared, "-o", "ControlPersist=no")
	}
	cmd := attended(path, append(words, "--", r.destination, command)...)
	cmd.SysProcAttr.Credential = r.as
	return cmd, nil
}

// client is the command that is a client there. Its first line says where its
// samples begin: a shell's start files may have written something before.
func (r *Remote) client() (*exec.Cmd, error) {
	if r.program == "" {
		return nil, errors.New("portlab is not on the other machine: it must be installed first")
	}
	return r.ssh("no", "echo "+beginning+"; exec "+lab.ShellWord(r.program)+" "+ClientWord)
}

// beginning is the line before a client's samples.
const beginning = "portlab-begins"

// skip reads what comes before a client's samples.
func skip(in *bufio.Reader) error {
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		if strings.TrimRight(line, "\r\n") == beginning {
			return nil
		}
	}
}

// Install makes sure that this very program is there: a portlab with the same
// SHA-256 digest that is on the PATH there, or a copy. It returns the copy's size
// in bytes, and 0 if none was needed. When ctx ends, so does the connection.
func (r *Remote) Install(ctx context.Context) (copied int64, err error) {
	unwatch := context.AfterFunc(ctx, r.held.stop)
	defer unwatch()
	if copied, err = r.install(); err != nil {
		return 0, r.uninstalled(ctx, err)
	}
	return copied, nil
}

func (r *Remote) install() (copied int64, err error) {
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return 0, err
	}
	defer self.Close()
	digest := sha256.New()
	size, err := io.Copy(digest, self)
	if err != nil {
		return 0, err
	}
	if _, err := fmt.Fprintf(r.held.orders, "%d %x\n", size, digest.Sum(nil)); err != nil {
		return 0, err
	}
	word, rest, err := r.hear()
	if err == nil && word == "wanted" {
		if copied, err = io.Copy(r.held.orders, io.NewSectionReader(self, 0, size)); err == nil {
			word, rest, err = r.hear()
		}
	}
	if err == nil && word != "program" {
		err = fmt.Errorf("the other machine says %q", word)
	}
	r.program = rest
	return copied, err
}

// Close ends the connection, upon which the machine takes away what it was
// given. It is idempotent.
func (r *Remote) Close() error {
	if r == nil || r.held == nil {
		return nil
	}
	held := r.held
	r.held = nil
	if err := held.wait(); err != nil {
		return fmt.Errorf("the connection to %s, by which it was held, %w", r.destination, err)
	}
	return nil
}
