package scenarios_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
	"github.com/portlab/portlab/lab/labtest"
)

// farMachine stands for another machine: a network namespace with an sshd of its own,
// of which the ssh of a run knows under the name far. It has nothing of this
// machine's own sshd and keys.
type farMachine struct {
	*kernel.Namespace
	near, far netip.Addr
	temporary string   // where it keeps what it is given
	env       []string // with which a run's ssh knows it
	sshd      int      // its process's number
}

// sshdConfig has sshd(8) need nothing but its own files; for TEMPORARY, see
// farMachine.
const sshdConfig = `Port 22
ListenAddress %s
HostKey %s
AuthorizedKeysFile %s
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
SetEnv TMPDIR=%s
`

// sshConfig is what a user has in ~/.ssh/config.
const sshConfig = `Host far
  HostName %s
  User root
  IdentityFile %s
  IdentitiesOnly yes
  UserKnownHostsFile %s
  GlobalKnownHostsFile none
`

// newFarMachine makes it, or skips the test.
func newFarMachine(t *testing.T) *farMachine {
	t.Helper()
	labtest.Require(t, "root", kernel.MayMakeNamespaces() && os.Geteuid() == 0, "sshd lets root in, in a namespace")
	sshd, err := lab.FindProgram("sshd")
	labtest.Require(t, "sshd", err == nil, fmt.Sprint(err))
	ssh, err := exec.LookPath("ssh")
	labtest.Require(t, "sshd", err == nil, fmt.Sprint(err))
	ns, err := kernel.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ns.Close() })
	dir := t.TempDir()
	m := &farMachine{
		Namespace: ns, near: netip.MustParseAddr("198.19.255.1"), far: netip.MustParseAddr("198.19.255.2"),
		temporary: filepath.Join(dir, "temporary"),
	}
	m.link(t)
	bin := filepath.Join(dir, "bin")
	for _, made := range []string{m.temporary, bin} {
		if err := os.Mkdir(made, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	hostKey, userKey := newKey(t, dir, "host"), newKey(t, dir, "user")
	known, config := filepath.Join(dir, "known_hosts"), filepath.Join(dir, "config")
	public, err := os.ReadFile(hostKey + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	write(t, known, fmt.Sprintf("%s %s", m.far, public), 0o600)
	write(t, config, fmt.Sprintf(sshConfig, m.far, userKey, known), 0o600)
	write(t, filepath.Join(bin, "ssh"), fmt.Sprintf("#!/bin/sh\nexec %s -F %s \"$@\"\n", ssh, config), 0o755)
	m.env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "SUDO_UID="}
	serverConfig := filepath.Join(dir, "sshd_config")
	write(t, serverConfig, fmt.Sprintf(sshdConfig, m.far, hostKey, userKey+".pub", m.temporary), 0o600)
	m.serve(t, sshd, serverConfig)
	return m
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func newKey(t *testing.T, dir, name string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path).CombinedOutput(); err != nil {
		t.Fatalf("make a key: %v\n%s", err, out)
	}
	return path
}

// link links it to this machine. The link has no run's name, so no sweep takes
// it away.
func (m *farMachine) link(t *testing.T) {
	t.Helper()
	own, err := kernel.Own()
	if err != nil {
		t.Fatal(err)
	}
	here := kernel.End{In: own, Name: "tofar", Address: netip.PrefixFrom(m.near, 30)}
	there := kernel.End{In: m.Namespace, Name: "lan0", Address: netip.PrefixFrom(m.far, 30)}
	if err := kernel.CreateVeth(t.Context(), lab.NewRunID(), here, there); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(kernel.DeleteLink(context.WithoutCancel(t.Context()), own, here.Name), own.Close()); err != nil {
			t.Error(err)
		}
	})
	if err := kernel.AwaitLinks(t.Context(), here, there); err != nil {
		t.Fatal(err)
	}
}

// serve starts its sshd, with a /run of its own: sshd wants a folder there.
func (m *farMachine) serve(t *testing.T, sshd, config string) {
	t.Helper()
	var log bytes.Buffer
	c := exec.Command("unshare", "--mount", "sh", "-c", `mount -t tmpfs none /run && mkdir -m 755 /run/sshd && exec "$@"`,
		"sh", sshd, "-D", "-e", "-f", config)
	c.Stdout, c.Stderr = &log, &log
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.WaitDelay = time.Second
	if err := m.Do(t.Context(), c.Start); err != nil {
		t.Fatal(err)
	}
	m.sshd = c.Process.Pid // of unshare, which becomes it
	t.Cleanup(func() {
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
		_ = c.Wait() // it was killed
		if t.Failed() {
			t.Logf("sshd said:\n%s", log.String())
		}
	})
	at := netip.AddrPortFrom(m.far, 22).String()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", at)
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(end) {
			t.Fatalf("sshd does not listen: %v\n%s", err, log.String())
		}
	}
}

// drop has its sshd lose every connection.
func (m *farMachine) drop(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", m.sshd, m.sshd))
	if err != nil {
		t.Fatal(err)
	}
	connections := strings.Fields(string(text)) // each has a process
	if len(connections) == 0 {
		t.Fatal("sshd has no connection")
	}
	for _, pid := range connections {
		n, err := strconv.Atoi(pid)
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(n, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
}

// left waits until nothing is left of what a run gave to it, files and
// processes, nor of the ssh that led there: what takes that away has nobody to
// tell.
func (m *farMachine) left(t *testing.T) {
	t.Helper()
	var there []string
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		files, err := filepath.Glob(m.temporary + "/*")
		if err != nil {
			t.Fatal(err)
		}
		running, err := filepath.Glob("/proc/[0-9]*/exe")
		if err != nil {
			t.Fatal(err)
		}
		sockets, err := filepath.Glob(filepath.Join(os.TempDir(), "portlab-ssh-*"))
		if err != nil {
			t.Fatal(err)
		}
		there = slices.Concat(files, sockets)
		for _, exe := range running {
			if path, err := os.Readlink(exe); err == nil && strings.HasPrefix(path, m.temporary) {
				there = append(there, exe+" -> "+path)
			}
		}
		if len(there) == 0 {
			return
		}
	}
	t.Errorf("there still are %v", there)
}
