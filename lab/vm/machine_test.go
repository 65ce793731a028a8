package vm

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portlab/portlab/lab/labtest"
)

// Machines take turns with other tests that take the whole of this one.
func TestMain(m *testing.M) { labtest.Main(m) }

// tiny is what a machine of the smallest image is made of, or the test is skipped.
func tiny(t *testing.T) Config {
	t.Helper()
	if testing.Short() {
		t.Skip("a machine takes long")
	}
	_, _, err := findEmulator()
	labtest.Require(t, "vm", err == nil, fmt.Sprint(err))
	dir, err := CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	image, err := Find(dir, string(Tiny))
	labtest.Require(t, "vm", err == nil, fmt.Sprint(err))
	return Config{Image: image, Binary: labtest.Binary(t)}
}

func started(t *testing.T, c Config) *Machine {
	t.Helper()
	m, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// prints runs a shell's line that must succeed, and gives what it prints.
func prints(t *testing.T, m *Machine, line string) string {
	t.Helper()
	stdout, stderr, status := runs(t, m, line, nil)
	if status != 0 {
		t.Errorf("%s: exit status %d, %s", line, status, stderr)
	}
	return strings.TrimSpace(stdout)
}

func TestMachine(t *testing.T) {
	c := tiny(t)
	given := filepath.Join(t.TempDir(), "given")
	if err := os.WriteFile(given, []byte("from the host"), 0o644); err != nil {
		t.Fatal(err)
	}
	c.Name, c.Env, c.Files = "guest", []string{"OF_CONFIG=set"}, map[string]string{"/new/place/file": given}
	m := started(t, c)
	for _, is := range []struct{ what, line, want string }{
		{"kernel", "uname -r", c.Image.Release},
		{"host name", "hostname", "guest"},
		{"environment", "echo $OF_CONFIG $OF_TEST $PORTLAB_VM $HOME", "set yes " + c.Image.Name + " /root"},
		{"emulation", "echo ${PORTLAB_EMULATED:-0}", map[bool]string{true: "1", false: "0"}[m.Emulated()]},
		{"file", "cat /new/place/file", "from the host"},
		{"network", "ls /sys/class/net", "lo"},
		{"loopback link", "cat /sys/class/net/lo/flags", "0x9"}, // IFF_UP and IFF_LOOPBACK
		{"portlab", "portlab version | cut -d' ' -f1", "portlab"},
		// The status of what lost its parent is taken in: it does not stay as a zombie.
		{"orphans", "(sh -c 'sleep 0.1' &); sleep 2; cat /proc/[0-9]*/stat 2>/dev/null | grep -c ' Z '; true", "0"},
	} {
		if got := prints(t, m, is.line); got != is.want {
			t.Errorf("%s: %q, want %q", is.what, got, is.want)
		}
	}
	t.Run("bytes", func(t *testing.T) { machineBytes(t, m) })
	t.Run("fetch", func(t *testing.T) { machineFetch(t, m) })
	t.Run("interrupt", func(t *testing.T) { machineInterrupt(t, m) })
}

// machineBytes: what goes in comes out, byte for byte, and of several commands
// at once to each its own.
func machineBytes(t *testing.T, m *Machine) {
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			in := make([]byte, 1<<20)
			source := rand.NewChaCha8([32]byte{byte(i)})
			if _, err := source.Read(in); err != nil {
				t.Error(err)
			}
			var out bytes.Buffer
			status, err := m.Run(t.Context(), Command{Args: []string{"cat"}, Stdin: bytes.NewReader(in), Stdout: &out})
			if err != nil || status != 0 || !bytes.Equal(out.Bytes(), in) {
				t.Errorf("%d of %d bytes came back, status %d, %v", out.Len(), len(in), status, err)
			}
		})
	}
	wg.Wait()
}

func machineFetch(t *testing.T, m *Machine) {
	prints(t, m, "mkdir -p /tmp/tree/below && echo one >/tmp/tree/a && head -c 300000 /dev/zero >/tmp/tree/below/b")
	to := filepath.Join(t.TempDir(), "tree")
	if err := m.Fetch(t.Context(), "/tmp/tree", to); err != nil {
		t.Fatal(err)
	}
	one, err := os.ReadFile(filepath.Join(to, "a"))
	if err != nil || string(one) != "one\n" {
		t.Errorf("a is %q, %v", one, err)
	}
	if info, err := os.Stat(filepath.Join(to, "below", "b")); err != nil || info.Size() != 300000 {
		t.Errorf("b is %v, %v", info, err)
	}
}

func machineInterrupt(t *testing.T, m *Machine) {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(time.Second, cancel)
	status, err := m.Run(ctx, Command{Args: []string{"sleep", "1000"}})
	if status != 130 || err != nil {
		t.Errorf("exit status %d, %v, want 130", status, err)
	}
}

// Two machines at a switch hear each other, and one that has gone is not heard.
func TestSwitchLinksMachines(t *testing.T) {
	c := tiny(t)
	c.CPUs, c.MemoryMiB = 1, 512
	s := NewSwitch()
	at := func(text string) *Machine {
		c.Links = []Link{{Switch: s, Address: netip.MustParsePrefix(text)}}
		return started(t, c)
	}
	one, two := at("198.18.0.1/24"), at("198.18.0.2/24")
	prints(t, one, "ping -c 3 -W 10 198.18.0.2")
	prints(t, two, "ping -c 3 -W 10 198.18.0.1")
	if err := two.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, status := runs(t, one, "ping -c 1 -W 1 198.18.0.2", nil); status == 0 {
		t.Error("a machine that has gone answers")
	}
}

// Where a machine does not start, the error holds what its console said last.
func TestMachineThatDoesNotStartSaysWhy(t *testing.T) {
	c := tiny(t)
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("no program"), 0o755); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, is := range map[string]struct {
		breaks func(*Config)
		says   string
	}{
		"no kernel": {func(c *Config) { c.Image.Kernel = text }, "QEMU said"},
		// Nor is there another program that the kernel would start instead.
		"no program": {func(c *Config) { c.Binary, c.Image.Initrd = text, empty }, "Kernel panic"},
	} {
		t.Run(name, func(t *testing.T) {
			broken := c
			broken.Accel = AccelTCG
			is.breaks(&broken)
			m, err := Start(t.Context(), broken)
			if err == nil {
				m.Close()
				t.Fatal("it started")
			}
			if !strings.Contains(err.Error(), is.says) || !strings.Contains(err.Error(), "portlab vm build") {
				t.Errorf("it says %v, want %q and what to do", err, is.says)
			}
		})
	}
}
