package kernel

import (
	"os"
	"runtime"
	"strings"
	"testing"
)

func TestEnvironmentDescribesThisMachine(t *testing.T) {
	ns, err := Own()
	no(t, err)
	defer ns.Close()
	e := Environment(t.Context(), ns)
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	no(t, err)
	if e.Kernel != strings.TrimSpace(string(release)) {
		t.Errorf("kernel %q, not %q", e.Kernel, release)
	}
	if e.CPUs != runtime.NumCPU() || e.MemoryMiB == 0 {
		t.Errorf("%d CPUs, %d MiB", e.CPUs, e.MemoryMiB)
	}
	if _, ok := e.Sysctls["net.ipv4.ip_forward"]; !ok {
		t.Errorf("ip_forward is missing: %v", e.Sysctls)
	}
}

func TestFieldTakesTheFirstOfItsName(t *testing.T) {
	path := t.TempDir() + "/f"
	no(t, os.WriteFile(path, []byte("model name\t: A CPU\nmodel name\t: B\nPRETTY_NAME=\"X: Y\"\n"), 0o600))
	if got := field(path, "model name", ":"); got != "A CPU" {
		t.Errorf("got %q", got)
	}
	if got := field(path, "PRETTY_NAME", "="); got != `"X: Y"` {
		t.Errorf("got %q", got)
	}
	if got := field(path, "name", ":"); got != "" {
		t.Errorf("got %q", got)
	}
}
