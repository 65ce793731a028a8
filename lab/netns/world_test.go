package netns

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
)

// nobody is an ordinary user with no right to anything.
const nobody = 65534

// entering is this test binary as a program that enters a world and acts there.
type entering struct {
	*exec.Cmd
	out   *bufio.Reader
	stdin io.Closer
	token string // in the environment of all its processes
}

// enter starts an act in a world, as a user. The binary is handed over as an
// open file, since nobody may look into the folder of another's tests.
func enter(t *testing.T, uid uint32, act ...string) *entering {
	t.Helper()
	labtest.Require(t, "root", os.Geteuid() == 0, "only root becomes another user")
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	e := &entering{Cmd: exec.Command("/proc/self/fd/3", append([]string{"act-enter"}, act...)...)}
	e.token = fmt.Sprintf("TOKEN_OF_TEST=%d-%d", os.Getpid(), time.Now().UnixNano())
	e.Env = append(os.Environ(), e.token)
	e.Dir = "/"
	e.ExtraFiles = []*os.File{self}
	e.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	out, err := e.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	e.out = bufio.NewReader(out)
	if e.stdin, err = e.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := e.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Process.Kill() }) // most have ended by then
	return e
}

// processes counts those of the entering program that are there.
func (e *entering) processes(t *testing.T) int {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, f := range files {
		if environ, err := os.ReadFile(f); err == nil && bytes.Contains(environ, []byte(e.token)) {
			n++
		}
	}
	return n
}

// line waits for the next line that the act says.
func (e *entering) line(t *testing.T) string {
	t.Helper()
	line, err := e.out.ReadString('\n')
	if err != nil {
		t.Fatalf("it said %q and no more: %v", line, err)
	}
	return strings.TrimSpace(line)
}

// asEachUser runs a test as root and as an ordinary user, for whom the system
// must allow user namespaces.
func asEachUser(t *testing.T, f func(t *testing.T, uid uint32)) {
	for _, uid := range []uint32{0, nobody} {
		t.Run(fmt.Sprint("uid-", uid), func(t *testing.T) {
			if uid != 0 {
				e := enter(t, uid, "act-look")
				said, err := io.ReadAll(e.out)
				_ = e.Wait() // its status is another test's affair
				labtest.Require(t, "rootless", err == nil && e.ProcessState.ExitCode() == 7, string(said))
			}
			f(t, uid)
		})
	}
}

func TestWorldIsEmptyAndItsOwn(t *testing.T) {
	asEachUser(t, func(t *testing.T, uid uint32) {
		e := enter(t, uid, "act-look")
		if got := e.line(t); got != "inside true pid 1 uid 0 may true" {
			t.Error(got)
		}
		if got := e.line(t); got != "links 1 lock <nil> netns true proc true" {
			t.Error(got)
		}
		_ = e.Wait()
		if got := e.ProcessState.ExitCode(); got != 7 {
			t.Errorf("exit status %d, want the act's 7", got)
		}
	})
}

// However the outer process ends, nothing in the world outlives it.
func TestWorldEndsWithTheProcessThatEnteredIt(t *testing.T) {
	asEachUser(t, func(t *testing.T, uid uint32) {
		before, err := labtest.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		e := enter(t, uid, "act-stay")
		if got := e.line(t); got != "up" {
			t.Fatal(got)
		}
		if n := e.processes(t); n != 3 { // the outer one, the inner one and the one in a session of its own
			t.Errorf("%d processes are up, want 3", n)
		}
		if err := e.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = e.Wait() // "signal: killed", as meant
		for end := time.Now().Add(20 * time.Second); e.processes(t) > 0; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d processes outlive it", e.processes(t))
			}
		}
		same(t, before)
	})
}

// same waits until the machine is as it was: what has ended is seen for a
// moment longer.
func same(t *testing.T, before labtest.Machine) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		after, err := labtest.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		diff := before.Diff(after)
		if diff == "" {
			return
		}
		if time.Now().After(end) {
			t.Errorf("the machine is not as it was before:\n%s", diff)
			return
		}
	}
}

// What runs in the world is told to end once, and its status comes through.
func TestEndOfTheContextIsPassedOnOnce(t *testing.T) {
	asEachUser(t, func(t *testing.T, uid uint32) {
		e := enter(t, uid, "act-stay")
		if got := e.line(t); got != "up" {
			t.Fatal(got)
		}
		if err := e.stdin.Close(); err != nil {
			t.Fatal(err)
		}
		if got := e.line(t); got != "told 0" {
			t.Errorf("%q, want one signal and no more", got)
		}
		_ = e.Wait()
		if got := e.ProcessState.ExitCode(); got != 9 {
			t.Errorf("exit status %d, want the act's 9", got)
		}
	})
}

// A system that allows no user namespaces says so, by what the real kernel
// does: the limit is that of a user namespace around the test.
func TestSystemWithoutUserNamespacesIsExplained(t *testing.T) {
	_, err := exec.LookPath("setpriv")
	labtest.Require(t, "setpriv", err == nil, "it takes the capabilities away")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("unshare", "--user", "--map-root-user", "sh", "-c",
		`echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all --inh-caps=-all "$0" act-enter act-look`, self)
	out, err := c.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "user.max_user_namespaces is 0") || !strings.Contains(string(out), "sudo") {
		t.Errorf("%v, want the cause and what to do:\n%s", err, out)
	}
}

func TestCauseAndRemedy(t *testing.T) {
	eperm, enospc := error(syscall.EPERM), error(syscall.ENOSPC)
	for name, c := range map[string]struct {
		err    error
		asUser bool
		files  map[string]string
		says   string // of the reason
		remedy string
	}{
		"apparmor":         {eperm, true, map[string]string{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n"}, "AppArmor", "profile"},
		"apparmor as root": {eperm, false, map[string]string{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n"}, "this system", "seccomp"},
		"debian":           {eperm, true, map[string]string{"/proc/sys/kernel/unprivileged_userns_clone": "0\n"}, "unprivileged_userns_clone", "sysctl"},
		"none allowed":     {enospc, true, map[string]string{"/proc/sys/user/max_user_namespaces": "0\n"}, "max_user_namespaces", "sysctl"},
		"docker":           {eperm, false, map[string]string{"/.dockerenv": ""}, "container", "--privileged"},
		"podman as a user": {eperm, true, map[string]string{"/run/.containerenv": ""}, "container", "--privileged"},
		"other engine":     {eperm, true, map[string]string{"/proc/1/environ": "A=b\x00container=lxc\x00"}, "container", "--privileged"},
		"too many":         {enospc, false, nil, "limit", "sysctl"},
		"unknown":          {eperm, true, nil, "ordinary user", "sudo"},
	} {
		t.Run(name, func(t *testing.T) {
			got := causeOf(c.err, c.asUser, func(path string) (string, bool) {
				text, there := c.files[path]
				return text, there
			})
			if !strings.Contains(got.reason, c.says) || !strings.Contains(got.remedy, c.remedy) {
				t.Errorf("%+v, want a reason with %q and a remedy with %q", got, c.says, c.remedy)
			}
		})
	}
	if err := forbidden("try", eperm); !errors.Is(err, lab.ErrUnsupported) {
		t.Errorf("%v is no UnsupportedError", err)
	}
	if err := forbidden("try", io.ErrUnexpectedEOF); errors.Is(err, lab.ErrUnsupported) {
		t.Errorf("%v is none of the system's refusals", err)
	}
}
