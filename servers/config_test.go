package servers_test

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/portlab/portlab/servers"
)

func env(pairs map[string]string) func(string) string {
	return func(name string) string { return pairs[name] }
}

func TestConfigFromEnv(t *testing.T) {
	hostname, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		env  map[string]string
		want servers.Config
	}{
		"defaults": {nil, servers.Config{
			Instance: hostname, Protocol: servers.HTTP, Hosts: []netip.Addr{netip.IPv4Unspecified()}, Port: 8080, DrainTimeout: 10 * time.Second,
		}},
		"all": {map[string]string{
			"INSTANCE": "foo bar", "HOST": "127.0.0.1, [::1],fe80::1%eth0", "PORT": "80", "REUSEPORT": "1", "DRAIN_TIMEOUT": "0s", "PROTOCOL": "tcp",
		}, servers.Config{
			Instance: "foo bar", Protocol: servers.TCP, Port: 80, ReusePort: true,
			Hosts: []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback(), netip.MustParseAddr("fe80::1%eth0")},
		}},
		"zeros": {map[string]string{"INSTANCE": "foo", "PORT": "0", "REUSEPORT": "0"}, servers.Config{
			Instance: "foo", Protocol: servers.HTTP, Hosts: []netip.Addr{netip.IPv4Unspecified()}, DrainTimeout: 10 * time.Second,
		}},
		"protocol of clients": {map[string]string{"INSTANCE": "foo", "PROTOCOL": "http2"}, servers.Config{
			Instance: "foo", Protocol: servers.HTTP, Hosts: []netip.Addr{netip.IPv4Unspecified()}, Port: 8080, DrainTimeout: 10 * time.Second,
		}},
		"inherited": {map[string]string{
			"INSTANCE": "foo", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "a", "HOST": "not read", "PORT": "not read", "REUSEPORT": "not read", "PROTOCOL": "udp",
		}, servers.Config{Instance: "foo", Protocol: servers.UDP, Inherit: 2, DrainTimeout: 10 * time.Second}},
		"inherited by this process": {map[string]string{
			"INSTANCE": "foo", "LISTEN_FDS": "1", "LISTEN_PID": strconv.Itoa(os.Getpid()),
		}, servers.Config{Instance: "foo", Protocol: servers.HTTP, Inherit: 1, DrainTimeout: 10 * time.Second}},
		"inherited by another process": {map[string]string{
			"INSTANCE": "foo", "PORT": "80", "LISTEN_FDS": "1", "LISTEN_PID": strconv.Itoa(os.Getppid()),
		}, servers.Config{
			Instance: "foo", Protocol: servers.HTTP, Hosts: []netip.Addr{netip.IPv4Unspecified()}, Port: 80, DrainTimeout: 10 * time.Second,
		}},
		"none inherited": {map[string]string{"INSTANCE": "foo", "PORT": "80", "LISTEN_FDS": "0"}, servers.Config{
			Instance: "foo", Protocol: servers.HTTP, Hosts: []netip.Addr{netip.IPv4Unspecified()}, Port: 80, DrainTimeout: 10 * time.Second,
		}},
	} {
		got, err := servers.ConfigFromEnv(env(c.env))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := cmp.Diff(c.want, got, cmpopts.EquateComparable(netip.Addr{})); d != "" {
			t.Errorf("%s: (-want +got)\n%s", name, d)
		}
	}
}

func TestConfigFromEnvNamesWhatIsWrong(t *testing.T) {
	for _, c := range [][2]string{
		{"INSTANCE", "a\nb"}, {"INSTANCE", strings.Repeat("x", 257)},
		{"HOST", "localhost"}, {"HOST", "127.0.0.1,"}, {"HOST", "::1,[::1]"}, {"HOST", "127.0.0.1,::ffff:127.0.0.1"},
		{"PORT", "65536"}, {"PORT", "-1"}, {"PORT", "http"},
		{"REUSEPORT", "yes"}, {"PROTOCOL", "sctp"}, {"PROTOCOL", "TCP"},
		{"DRAIN_TIMEOUT", "10"}, {"DRAIN_TIMEOUT", "-1s"},
		{"LISTEN_FDS", "one"}, {"LISTEN_FDS", "-1"}, {"LISTEN_FDS", "65536"},
		{"LISTEN_PID", "self"}, {"LISTEN_PID", "0"},
	} {
		pairs := map[string]string{}
		if c[0] == "LISTEN_PID" {
			pairs["LISTEN_FDS"] = "1" // without which nobody looks at it
		}
		pairs[c[0]] = c[1]
		got, err := servers.ConfigFromEnv(env(pairs))
		if !errors.Is(err, servers.ErrConfig) || !strings.Contains(err.Error(), c[0]) {
			t.Errorf("%s=%q: got %+v, %v; want an error that names %s", c[0], c[1], got, err, c[0])
		}
	}
}

func TestListenRefusesConfigsThatCannotBe(t *testing.T) {
	for _, c := range []servers.Config{{}, {Instance: "foo"}, {Hosts: []netip.Addr{netip.IPv6Loopback()}},
		{Instance: "foo", Hosts: []netip.Addr{netip.IPv6Loopback()}, Protocol: "sctp"}} {
		if s, err := servers.Listen(context.Background(), c, io.Discard); !errors.Is(err, servers.ErrConfig) {
			t.Errorf("Listen(%+v) = %v, %v", c, s, err)
		}
	}
}
