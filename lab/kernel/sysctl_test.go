package kernel

import (
	"errors"
	"testing"

	"github.com/portlab/portlab/lab"
)

func TestSysctlsAreThoseOfTheNamespace(t *testing.T) {
	a, b := sysctls{newNamespace(t)}, sysctls{newNamespace(t)}
	const name = "net.ipv4.ip_local_port_range"
	before, err := b.Get(name)
	no(t, err)
	no(t, a.Set(name, "20000 30000"))
	got, err := a.Get(name)
	no(t, err)
	if got != "20000 30000" {
		t.Errorf("set to 20000 30000, read %q", got)
	}
	if after, _ := b.Get(name); after != before {
		t.Errorf("another namespace changed from %q to %q", before, after)
	}
	if err := a.Set(name, "nonsense"); err == nil || errors.Is(err, lab.ErrUnsupported) {
		t.Errorf("nonsense was answered with %v", err)
	}
	if err := a.Set("net.ipv4.no_such_thing", "1"); !errors.Is(err, lab.ErrUnsupported) {
		t.Errorf("a missing parameter was answered with %v", err)
	}
}

func TestSysctlNamesStayBelowProcSys(t *testing.T) {
	for name, want := range map[string]string{
		"net.ipv4.ip_forward":                   "/proc/sys/net/ipv4/ip_forward",
		"net.ipv4.conf.eth0/100.route_localnet": "/proc/sys/net/ipv4/conf/eth0.100/route_localnet",
	} {
		if got, err := sysctlPath(name); err != nil || got != want {
			t.Errorf("%s is %s, %v; not %s", name, got, err, want)
		}
	}
	for _, bad := range []string{"", ".", "net..x", "//.//.etc", "net.//", "net./.x", "a b", "a\x00"} {
		var usage *lab.UsageError
		if got, err := sysctlPath(bad); !errors.As(err, &usage) {
			t.Errorf("%q is %s, %v", bad, got, err)
		}
	}
}
