package strategies

import (
	"errors"
	"math"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
	"github.com/portlab/portlab/lab/step"
	"github.com/portlab/portlab/servers"
)

// sidecar is the one step of a proxy.
func sidecar(t *testing.T, p place, s lab.Strategy, to []lab.Replica) lab.Sidecar {
	t.Helper()
	steps := p.steps(t, s, to)
	if len(steps) != 1 {
		t.Fatalf("%d steps, want 1", len(steps))
	}
	return steps[0].(step.Sidecar).Sidecar
}

// The configuration is one that the proxy itself takes, and says what is meant.
func TestProxyConfigIsTheProxys(t *testing.T) {
	for name, p := range places("aaaaaa") {
		t.Run(name, func(t *testing.T) { proxyConfigIsTheProxys(t, p) })
	}
}

func proxyConfigIsTheProxys(t *testing.T, p place) {
	to := p.replicas(0, 3)
	to[1].Weight = 2.5
	path := filepath.Join(t.TempDir(), "proxy.json")
	if err := os.WriteFile(path, []byte(sidecar(t, p, proxy{}, to).Files["proxy.json"]), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := servers.ReadProxyConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Listen, p.facts.SidecarListen) {
		t.Errorf("it listens on %v, want %v", got.Listen, p.facts.SidecarListen)
	}
	if len(got.Upstreams) != len(to) {
		t.Fatalf("%d upstreams, want %d", len(got.Upstreams), len(to))
	}
	for i, u := range got.Upstreams {
		if u.Address != to[i].Address || u.Weight != to[i].Weight {
			t.Errorf("upstream %d is %+v, want %+v", i, u, to[i])
		}
	}
}

func TestProxiesNeedAnAddressAndAReplica(t *testing.T) {
	p := onEngine("aaaaaa")
	deaf := onEngine("aaaaaa")
	deaf.facts.SidecarListen = nil
	for _, s := range []lab.Strategy{proxy{}, nginx{}} {
		if _, err := s.Steps(p.facts, p.front, nil); err == nil {
			t.Errorf("%s: steps to no replica", s.Name())
		}
		if _, err := s.Steps(deaf.facts, deaf.front, p.replicas(0, 1)); err == nil {
			t.Errorf("%s: steps with nowhere to listen", s.Name())
		}
	}
}

func TestNginxTakesWholeWeightsOnly(t *testing.T) {
	p := onEngine("aaaaaa")
	for weight, ok := range map[float64]bool{1: true, 3: true, 0.5: false, 1.5: false, 1e12: false, math.Inf(1): false} {
		to := p.replicas(0, 2)
		to[0].Weight = weight
		_, err := nginx{}.Steps(p.facts, p.front, to)
		var usage *lab.UsageError
		if ok != (err == nil) || !ok && !errors.As(err, &usage) {
			t.Errorf("weight %v: %v, want it taken: %v", weight, err, ok)
		}
	}
}

// dockerProxyWith puts a docker-proxy in place that prints these flags.
func dockerProxyWith(t *testing.T, flags string) {
	path := filepath.Join(t.TempDir(), "docker-proxy")
	script := "#!/bin/sh\necho 'Usage of docker-proxy:\n" + flags + "' >&2\nexit 2\n"
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PORTLAB_DOCKER_PROXY", path)
}

func TestDockerProxyProbe(t *testing.T) {
	h := labtest.NewHost(t)
	probe := dockerProxy{}.Needs().Probes[0]
	t.Run("of Docker 28", func(t *testing.T) {
		dockerProxyWith(t, "  -proto string\n  -use-listen-fd\n")
		if err := probe.Check(t.Context(), h, lab.IPv4); err != nil {
			t.Error(err)
		}
	})
	t.Run("of Docker 20.10", func(t *testing.T) {
		dockerProxyWith(t, "  -proto string\n")
		err := lab.Probed(t.Context(), h, dockerProxy{}, lab.IPv4)
		if !errors.Is(err, lab.ErrUnsupported) || !strings.Contains(err.Error(), "make tools") {
			t.Errorf("%v, want that it cannot and what to do", err)
		}
	})
	t.Run("missing", func(t *testing.T) {
		t.Setenv("PORTLAB_DOCKER_PROXY", filepath.Join(t.TempDir(), "none"))
		if err := probe.Check(t.Context(), h, lab.IPv4); !errors.Is(err, lab.ErrUnsupported) {
			t.Errorf("%v, want that there is none", err)
		}
	})
	t.Run("cannot be asked", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "broken")
		if err := os.WriteFile(path, []byte("no program"), 0o700); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PORTLAB_DOCKER_PROXY", path)
		if err := probe.Check(t.Context(), h, lab.IPv4); err == nil || errors.Is(err, lab.ErrUnsupported) {
			t.Errorf("%v, want that it could not be told", err)
		}
	})
}

// Each replica has a docker-proxy at each address of the front, and no two
// share anything but the port.
func TestDockerProxyIsOneForEachReplicaAndAddress(t *testing.T) {
	for name, p := range places("aaaaaa") {
		t.Run(name, func(t *testing.T) { dockerProxyIsOneForEach(t, p) })
	}
}

func dockerProxyIsOneForEach(t *testing.T, p place) {
	to := p.replicas(0, 3)
	reached := map[netip.AddrPort][]string{}
	for _, st := range p.steps(t, dockerProxy{}, to) {
		c := st.(step.Sidecar).Sidecar
		args := strings.Join(c.Args, " ")
		at := c.Sockets[0].Address
		if !strings.Contains(args, "-host-ip "+at.Addr().String()+" -host-port "+port(at)) {
			t.Errorf("the socket is %s, the arguments say %s", at, args)
		}
		for _, r := range to {
			if strings.Contains(args, "-container-ip "+r.Address.Addr().String()+" -container-port "+port(r.Address)) {
				reached[at] = append(reached[at], r.Instance)
			}
		}
	}
	for _, at := range p.front.Endpoints() {
		if got := strings.Join(reached[at], " "); got != "foo bar baz" {
			t.Errorf("%s leads to %q, want foo bar baz", at, got)
		}
	}
}

func TestIptablesProbe(t *testing.T) {
	h := labtest.NewHost(t)
	for _, ip := range []lab.Family{lab.IPv4, lab.IPv6} {
		if err := iptables().Check(t.Context(), h, ip); err != nil {
			t.Error(err)
		}
	}
	none := &lab.UnsupportedError{What: "iptables", Reason: "there is none"}
	h.WithoutRules(none)
	if err := iptables().Check(t.Context(), h, lab.IPv4); !errors.Is(err, lab.ErrUnsupported) {
		t.Errorf("%v, want what the host said", err)
	}
}

// filters is a host whose kernel has the nat table for some IP versions only.
type filters struct {
	lab.Host
	rules map[lab.Family]lab.Rules
}

func (f filters) Rules(ip lab.Family) (lab.Rules, error) { return f.rules[ip], nil }

// noTables is a packet filter without a chain.
type noTables struct{ lab.Rules }

func (noTables) HasChain(string, string) (bool, error) { return false, nil }

// The answer is that of the IP version that is asked for.
func TestIptablesProbeIsOfTheFamily(t *testing.T) {
	whole := labtest.NewHost(t)
	four, err := whole.Rules(lab.IPv4)
	if err != nil {
		t.Fatal(err)
	}
	h := filters{whole, map[lab.Family]lab.Rules{lab.IPv4: four, lab.IPv6: noTables{}}}
	if err := iptables().Check(t.Context(), h, lab.IPv4); err != nil {
		t.Error(err)
	}
	if err := iptables().Check(t.Context(), h, lab.IPv6); !errors.Is(err, lab.ErrUnsupported) {
		t.Errorf("%v, want that there is no nat table for IPv6", err)
	}
}

// present skips the test where a program is missing.
func present(t *testing.T, name string) string {
	path, err := lab.FindProgram(name)
	labtest.Require(t, name, err == nil, "the test runs the real program")
	return path
}

// started runs a program in a folder until the test ends.
func started(t *testing.T, dir, path string, args ...string) *os.Process {
	t.Helper()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait() // it was told to end: its status does not matter
		text, err := os.ReadFile(log.Name())
		if err != nil || t.Failed() {
			t.Logf("log: %s %v", text, err)
		}
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	return cmd.Process
}
