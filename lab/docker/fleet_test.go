package docker_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/docker"
	"github.com/portlab/portlab/lab/kernel"
	"github.com/portlab/portlab/lab/labtest"
)

// runtime is the one under test, or the test is skipped.
func runtime(t *testing.T) *docker.Runtime {
	t.Helper()
	_, err := docker.New(docker.Options{}).Host(t.Context())
	labtest.Require(t, "docker", err == nil, errText(err))
	labtest.Require(t, "root", kernel.HasNetAdmin(), "no CAP_NET_ADMIN")
	return docker.New(docker.Options{Binary: labtest.Binary(t)})
}

// open opens a fleet on the engine of this machine, or skips the test.
func open(t *testing.T, spec lab.FleetSpec) (lab.Fleet, error) {
	t.Helper()
	rt := runtime(t)
	spec.Run = newRun(t)
	t.Cleanup(func() { nothingLeft(t, spec.Run) })
	return rt.Open(t.Context(), spec)
}

func mustOpen(t *testing.T, spec lab.FleetSpec) lab.Fleet {
	t.Helper()
	f, err := open(t, spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return f
}

// nothingLeft finds what a run has left on the engine.
func nothingLeft(t *testing.T, run lab.RunID) {
	t.Helper()
	traces, err := docker.Traces(context.Background())
	if err != nil {
		t.Error(err)
	}
	for _, x := range traces {
		if x.Run == run {
			t.Errorf("left behind: %s %s", x.Kind, x.Name)
		}
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestReplicasAnswerAtTheirAddresses(t *testing.T) {
	f := mustOpen(t, lab.FleetSpec{Replicas: 2, Placement: lab.OwnNetns})
	for _, r := range f.Blueprint().Replicas {
		if got := get(t, "http://"+r.Address.String()); got != "Hello from "+r.Instance+"\n" {
			t.Errorf("%s answers %q", r.Instance, got)
		}
	}
}

// On links on a parent the host reaches the replicas by its own link.
func TestReplicasOnAParentAnswer(t *testing.T) {
	for _, k := range []lab.LinkKind{lab.LinkMacvlan, lab.LinkIPvlan} {
		t.Run(string(k), func(t *testing.T) {
			h, err := runtime(t).Host(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			err = h.(lab.Linker).CheckLink(t.Context(), k)
			labtest.Require(t, string(k), err == nil, errText(err))
			f := mustOpen(t, lab.FleetSpec{Replicas: 2, Placement: lab.OwnNetns, Link: k})
			for _, r := range f.Blueprint().Replicas {
				if got := get(t, "http://"+r.Address.String()); got != "Hello from "+r.Instance+"\n" {
					t.Errorf("%s answers %q", r.Instance, got)
				}
			}
			if added, err := f.(lab.Scaler).Add(t.Context(), 1); err != nil || get(t, "http://"+added[0].Address.String()) == "" {
				t.Errorf("added %v, %v", added, err)
			}
		})
	}
}

func TestReplicasComeAndGo(t *testing.T) {
	f := mustOpen(t, lab.FleetSpec{Replicas: 1, Placement: lab.OwnNetns})
	added, err := f.(lab.Scaler).Add(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range added {
		get(t, "http://"+r.Address.String())
	}
	if err := f.(lab.Scaler).Remove(t.Context(), added[0].Instance); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range f.Blueprint().Replicas {
		names = append(names, r.Instance)
	}
	if got := strings.Join(names, " "); got != "foo baz" {
		t.Errorf("after one was added twice and the first of them removed: %s, want foo baz", got)
	}
}

func TestConnectionsAreCountedFromOutside(t *testing.T) {
	f := mustOpen(t, lab.FleetSpec{Replicas: 2, Placement: lab.OwnNetns})
	before, err := f.(lab.Counter).Accepted(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second := f.Blueprint().Replicas[1]
	for range 7 {
		get(t, "http://"+second.Address.String())
	}
	after, err := f.(lab.Counter).Accepted(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if foo, bar := after["foo"]-before["foo"], after["bar"]-before["bar"]; foo != 0 || bar != 7 {
		t.Errorf("counted foo %d and bar %d; want 0 and 7", foo, bar)
	}
}

// A server that never listens is shown by the end of its log, and goes.
func TestReplicaThatNeverGetsReady(t *testing.T) {
	image := importImage(t, "never")
	_, err := open(t, lab.FleetSpec{
		Replicas: 1, Placement: lab.OwnNetns, Image: image, ImagePort: 3000, ReadyTimeout: 300 * time.Millisecond,
	})
	if err == nil {
		t.Fatal("a fleet of servers that do not listen was opened")
	}
	if !strings.Contains(err.Error(), "not ready within 300ms") {
		t.Errorf("the error does not say what was waited for: %v", err)
	}
}

func TestSecondPublishIsRefused(t *testing.T) {
	_, err := open(t, lab.FleetSpec{Replicas: 2, Placement: lab.OwnNetns, Publish: lab.PublishEach})
	if _, refused := errors.AsType[*lab.RefusedError](err); !refused {
		t.Fatalf("got %v, want a RefusedError", err)
	}
}

func TestCloseTwice(t *testing.T) {
	f := mustOpen(t, lab.FleetSpec{Replicas: 1, Placement: lab.OwnNetns})
	for range 2 {
		if err := f.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestOpenThatIsCutOffLeavesNothing(t *testing.T) {
	rt := runtime(t)
	for _, ms := range []int{50, 200, 400, 600} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(ms)*time.Millisecond)
		run := newRun(t)
		f, err := rt.Open(ctx, lab.FleetSpec{Run: run, Replicas: 3, Placement: lab.OwnNetns})
		cancel()
		if err == nil {
			if err := f.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
		nothingLeft(t, run)
	}
}

// importImage makes an image of the project's own binary, under which command
// it is started by what the runtime gives it: nothing, so it prints its help
// and ends, or stays as told here.
func importImage(t *testing.T, name string) string {
	t.Helper()
	tag := "portlab-test-" + name + ":latest"
	tar := exec.Command("tar", "-C", filepath.Dir(labtest.Binary(t)), "-c", "portlab")
	imported := exec.Command("docker", "import", "-c", `CMD ["/portlab", "pause"]`, "-", tag)
	pipe, err := tar.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	imported.Stdin = pipe
	if err := tar.Start(); err != nil {
		t.Fatal(err)
	}
	if out, err := imported.CombinedOutput(); err != nil {
		labtest.Require(t, "docker", false, string(out))
	}
	if err := tar.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("docker", "rmi", tag).CombinedOutput(); err != nil {
			t.Errorf("docker rmi: %s", out)
		}
	})
	return tag
}

func get(t *testing.T, url string) string {
	t.Helper()
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b strings.Builder
	if _, err := io.Copy(&b, resp.Body); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Replicas that answer datagrams are published so, and each of the clients'
// addresses can call them.
func TestDatagramsReachAPublishedReplica(t *testing.T) {
	f := mustOpen(t, lab.FleetSpec{
		Replicas: 1, Placement: lab.OwnNetns, Publish: lab.PublishFirst, Protocol: lab.UDP, Vantage: lab.External, Clients: 50,
	})
	front := f.Blueprint().Front
	for _, v := range []lab.Vantage{lab.External, lab.Localhost} {
		at, err := f.Place(t.Context(), v)
		if err != nil {
			t.Fatal(err)
		}
		sources := at.(lab.SourcePlace).Sources()
		if len(sources) != 50 {
			t.Errorf("%d sources at %s, want 50", len(sources), v)
		}
		for _, own := range sources {
			answer, err := exchange(t, at, own, front.At(v))
			kept := strings.Contains(answer, `client="`+own.String()+":")
			if err != nil || !strings.HasPrefix(answer, `7 v=1, instance="foo"`) || kept != (v == lab.External) {
				t.Fatalf("called from %s at %s: %q, %v", own, v, answer, err)
			}
		}
	}
}

// exchange sends one datagram and gives the answer to it.
func exchange(t *testing.T, from lab.Place, own netip.Addr, to netip.AddrPort) (string, error) {
	t.Helper()
	return exchangeFrom(t, from, netip.AddrPortFrom(own, 0), to)
}

// exchangeFrom is exchange from a port, too.
func exchangeFrom(t *testing.T, from lab.Place, own, to netip.AddrPort) (string, error) {
	t.Helper()
	d := net.Dialer{LocalAddr: net.UDPAddrFromAddrPort(own)}
	var c net.Conn
	err := from.Do(t.Context(), func() (err error) {
		c, err = d.DialContext(t.Context(), "udp", to.String())
		return err
	})
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	if _, err := c.Write([]byte("portlab 7 /")); err != nil {
		return "", err
	}
	answer := make([]byte, 1500)
	n, err := c.Read(answer)
	return string(answer[:n]), err
}

// What the kernel still tracks of an earlier run at the same front does not
// lead datagrams past what the engine publishes.
func TestDatagramsOfAnEarlierRunAreForgotten(t *testing.T) {
	own := netip.AddrPort{}
	var fronts [2]lab.Front
	for i, spec := range []lab.FleetSpec{
		{Placement: lab.HostNetns, ReusePort: true}, {Placement: lab.OwnNetns, Publish: lab.PublishFirst},
	} {
		spec.Replicas, spec.Protocol, spec.Vantage, spec.Port = 1, lab.UDP, lab.External, fronts[0].Port
		f := mustOpen(t, spec)
		fronts[i] = f.Blueprint().Front
		at, err := f.Place(t.Context(), lab.External)
		if err != nil {
			t.Fatal(err)
		}
		if !own.IsValid() {
			own = netip.AddrPortFrom(at.(lab.SourcePlace).Sources()[0], 40000)
		}
		answer, err := exchangeFrom(t, at, own, fronts[i].At(lab.External))
		if err != nil || !strings.Contains(answer, `client="`+own.String()+`"`) {
			t.Errorf("run %d: %q, %v, want the client's own address %s", i+1, answer, err, own)
		}
		if err := f.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if fronts[0] != fronts[1] {
		t.Errorf("the fronts were %v: the runs had nothing to do with each other", fronts)
	}
}
