package load

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
)

var _ lab.Place = (*Remote)(nil)

// far is the other machine of a test: an ssh that takes a command to a shell
// here, which has a folder for temporary files and a PATH of its own.
type far struct{ temporary, programs string }

// fakeSSH is an ssh that asks and encrypts nothing. The shell there has a start
// file that says something.
const fakeSSH = `#!/bin/sh
echo "$@" >>"$FAR_LOG"
while [ "$1" != -- ]; do shift; done
echo "Welcome to $2"
[ -z "$FAR_BROKEN" ] || { echo "$FAR_BROKEN" >&2; exit 255; }
shift 2
export TMPDIR="$FAR_TEMPORARY" PATH="$FAR_PROGRAMS:$PATH" SSH_CONNECTION="${FAR_CONNECTION-198.18.0.1 50000 198.18.0.2 22}"
sh -c "$*"
`

// newFar makes this machine's ssh lead to another one.
func newFar(t *testing.T) *far {
	t.Helper()
	f := &far{t.TempDir(), t.TempDir()}
	bin := t.TempDir()
	write(t, filepath.Join(bin, "ssh"), fakeSSH)
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	t.Setenv("FAR_TEMPORARY", f.temporary)
	t.Setenv("FAR_PROGRAMS", f.programs)
	t.Setenv("FAR_LOG", filepath.Join(bin, "log"))
	return f
}

func write(t *testing.T, path, program string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(program), 0o755); err != nil {
		t.Fatal(err)
	}
}

// left waits until nothing that was given to the machine is left there: what
// takes it away has no one to tell.
func (f *far) left(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		there, err := os.ReadDir(f.temporary)
		if err != nil {
			t.Fatal(err)
		}
		if len(there) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the other machine still has %v", there)
		}
	}
}

// reached is the machine with this program on it.
func (f *far) reached(t *testing.T) *Remote {
	t.Helper()
	r, err := Reach(t.Context(), "far", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() }) // most have closed it by then
	if _, err := r.Install(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRemoteDrivesAndLeavesNothing(t *testing.T) {
	labtest.NoLeakedGoroutines(t)
	f := newFar(t)
	r, err := Reach(t.Context(), "someone@far", nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Seen != netip.MustParseAddr("198.18.0.1") || r.Address != netip.MustParseAddr("198.18.0.2") {
		t.Errorf("it is %s and sees %s", r.Address, r.Seen)
	}
	if m := r.Machine; m.Kernel == "" || m.OS == "" || m.CPUs < 1 || !m.SharesKernel {
		t.Errorf("it is %+v", m)
	}
	home, err := lab.Home()
	if err != nil || r.Home != home {
		t.Errorf("its home is %s, this one's is %s (%v)", r.Home, home, err)
	}
	f.left(t) // so far nothing was written
	self, err := os.Stat("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := r.Install(t.Context()); err != nil || n != self.Size() {
		t.Fatalf("%d bytes were copied, want %d (%v)", n, self.Size(), err)
	}
	to := goServer(t, "foo")
	for range 2 { // one after the other, over one connection
		count := 0
		client, err := Process{Driver: simpleName}.Drive(t.Context(), r, plan(50, 4), []netip.AddrPort{to}, func(s lab.Sample) {
			count++
			if !s.OK() || s.Instance != "foo" {
				t.Errorf("sample %+v", s)
			}
		})
		if err != nil || count != 50 {
			t.Errorf("%d samples and error %v", count, err)
		}
		if client.Driver != simpleName || client.Machine == nil || *client.Machine != r.Machine || client.CPU() <= 0 {
			t.Errorf("the client says %+v", client)
		}
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	f.left(t)
}

func TestRemoteAsksNothingAndSharesOneConnection(t *testing.T) {
	f := newFar(t)
	r := f.reached(t)
	if _, err := (Process{Driver: simpleName}).Drive(t.Context(), r, plan(1, 1), []netip.AddrPort{goServer(t, "foo")}, func(lab.Sample) {}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(os.Getenv("FAR_LOG"))
	if err != nil {
		t.Fatal(err)
	}
	calls := strings.Split(string(text), "-T ")[1:]
	if len(calls) != 2 || r.shared == "" {
		t.Fatalf("ssh was called %d times, with the socket %q:\n%s", len(calls), r.shared, text)
	}
	for i, master := range []string{"yes", "no"} {
		for _, want := range []string{"BatchMode=yes", "ControlMaster=" + master, "ControlPath=" + r.shared} {
			if !strings.Contains(calls[i], "-o "+want+" ") {
				t.Errorf("call %d has no %s: %s", i, want, calls[i])
			}
		}
	}
}

func TestRemoteTakesTheVerySameProgramThatIsThere(t *testing.T) {
	f := newFar(t)
	there := filepath.Join(f.programs, "portlab")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	write(t, there, "#!/bin/sh\nexit 0\n") // of the same name, and another
	r, err := Reach(t.Context(), "far", nil)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := r.Install(t.Context()); err != nil || n == 0 || r.program == there {
		t.Errorf("%d bytes were copied and %s is used (%v)", n, r.program, err)
	}
	if err := errors.Join(r.Close(), os.Remove(there), os.Symlink(self, there)); err != nil {
		t.Fatal(err)
	}
	if r, err = Reach(t.Context(), "far", nil); err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if n, err := r.Install(t.Context()); err != nil || n != 0 || r.program != there {
		t.Errorf("%d bytes were copied and %s is used (%v)", n, r.program, err)
	}
}

func TestRemoteThatCannotBe(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, f *far)
		want  string
	}{
		"no way": {func(t *testing.T, _ *far) { t.Setenv("FAR_BROKEN", "far: Permission denied (publickey).") }, "ssh does not get there: far: Permission denied (publickey)."},
		"other hardware": {func(t *testing.T, f *far) {
			write(t, filepath.Join(f.programs, "uname"), "#!/bin/sh\necho Linux vax\n")
		}, "it is Linux vax"},
		"other server": {func(t *testing.T, _ *far) { t.Setenv("FAR_CONNECTION", "") }, "SSH_CONNECTION"},
		"no ssh":       {func(t *testing.T, f *far) { t.Setenv("PATH", f.temporary) }, "there is no ssh on this one"},
		"no room":      {func(t *testing.T, _ *far) { t.Setenv("FAR_TEMPORARY", "/nonexistent") }, "neither be copied there nor run: mktemp: failed"},
		"not to be run": {func(t *testing.T, f *far) { write(t, filepath.Join(f.programs, "chmod"), "#!/bin/sh\n") },
			"Permission denied"},
	} {
		t.Run(name, func(t *testing.T) {
			labtest.NoLeakedGoroutines(t)
			f := newFar(t)
			c.spoil(t, f)
			r, err := Reach(t.Context(), "far", nil)
			if err == nil {
				_, err = r.Install(t.Context())
			}
			if !errors.Is(err, lab.ErrUnsupported) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			f.left(t)
		})
	}
}

func TestRemoteIsNoOption(t *testing.T) {
	for _, to := range []string{"", "-oProxyCommand=false", "two words", "a\nb"} {
		_, err := Reach(t.Context(), to, nil)
		if _, ok := errors.AsType[*lab.UsageError](err); !ok {
			t.Errorf("%q: error %v, want one of usage", to, err)
		}
	}
}

func TestRemoteEndsWithItsContext(t *testing.T) {
	labtest.NoLeakedGoroutines(t)
	f := newFar(t)
	r := f.reached(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p := plan(1, 1)
	p.Timeout = time.Hour
	_, err := Process{Driver: simpleName}.Drive(ctx, r, p, []netip.AddrPort{silentServer(t, cancel)}, func(s lab.Sample) {
		t.Errorf("sample %+v of a request that was cut off", s)
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	f.left(t)

	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	if _, err := Reach(ctx, "far", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
}

// TestRemoteWhoseConnectionBreaks kills ssh: the machine is left to itself.
func TestRemoteWhoseConnectionBreaks(t *testing.T) {
	labtest.NoLeakedGoroutines(t)
	f := newFar(t)
	r := f.reached(t)
	if err := unix.Kill(r.held.cmd.Process.Pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("error %v, want one of ssh", err)
	}
	f.left(t)
	_, err := Process{Driver: simpleName}.Drive(t.Context(), r, plan(1, 1), []netip.AddrPort{goServer(t, "foo")}, nil)
	if err == nil || !strings.Contains(err.Error(), "not found") && !strings.Contains(err.Error(), "No such file") {
		t.Errorf("error %v, want one of a program that is gone", err)
	}
}

func TestClientIsNotRunWhereNothingIsInstalled(t *testing.T) {
	newFar(t)
	r, err := Reach(t.Context(), "far", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	_, err = Process{Driver: simpleName}.Drive(t.Context(), r, plan(1, 1), []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:1")}, nil)
	if err == nil || !strings.Contains(err.Error(), "must be installed first") {
		t.Errorf("error %v", err)
	}
}

func TestSkipFindsTheBeginning(t *testing.T) {
	for text, want := range map[string]string{
		beginning + "\nsamples":                      "samples",
		"hello\r\n\n" + beginning + "\r\nsamples":    "samples",
		"not at the start " + beginning + "\nmore\n": "",
	} {
		in := bufio.NewReader(strings.NewReader(text))
		err := skip(in)
		rest, _ := io.ReadAll(in)
		if string(rest) != want || (err != nil) != (want == "") {
			t.Errorf("%q leaves %q (%v)", text, rest, err)
		}
	}
}

// TestRemoteIsReachedAsAnotherUser has the other machine tell who called ssh.
func TestRemoteIsReachedAsAnotherUser(t *testing.T) {
	labtest.Require(t, "root", os.Geteuid() == 0, "only root can be another user")
	const nobody = 65534
	f := newFar(t)
	write(t, filepath.Join(f.programs, "nproc"), "#!/bin/sh\nid -u\n")
	for _, open := range []string{f.programs, filepath.Dir(f.programs)} {
		if err := os.Chmod(open, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("FAR_LOG", "/dev/null")
	r, err := Reach(t.Context(), "far", &syscall.Credential{Uid: nobody, Gid: nobody})
	if err != nil {
		t.Fatal(err)
	}
	if r.Machine.CPUs != nobody {
		t.Errorf("ssh was called by user %d, want %d", r.Machine.CPUs, nobody)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}
