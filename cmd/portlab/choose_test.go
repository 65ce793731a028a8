package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab"
)

// What auto takes, and what is asked on the way: a user may have no right to
// look at the host of the runtime that needs a world.
func TestAutoTakesTheFirstRuntimeThatCan(t *testing.T) {
	for name, c := range map[string]struct {
		docker fakeRuntime
		args   string
		takes  string
		says   string
	}{
		"an engine answers": {args: "dnat", takes: "docker", says: "runtime: docker\n"},
		"no engine answers": {
			docker: fakeRuntime{noEngine: true}, args: "dnat", takes: "netns",
			says: "runtime: netns (docker: no engine answers)\n",
		},
		"IPv6": {
			docker: fakeRuntime{noIPv6: true}, args: "dnat --ip 6", takes: "netns",
			says: "runtime: netns (docker: --ip 6: IPv4 only)\n",
		},
		"more replicas than one takes": {
			args: "dnat --replicas 101", takes: "netns",
			says: "runtime: netns (docker: at most 100 replicas, not 101)\n",
		},
		"what only an engine has": {args: "docker-publish", takes: "docker", says: "runtime: docker\n"},
		"by name":                 {args: "dnat --runtime netns", takes: "netns", says: "runtime: netns\n"},
	} {
		t.Run(name, func(t *testing.T) {
			c.docker.name, c.docker.publish = "docker", true
			embedded := &fakeRuntime{name: "netns"}
			a, out, errs := chooser(&c.docker, embedded)
			args := append([]string{"explain", "--format", "json"}, strings.Fields(c.args)...)
			if got := a.run(t.Context(), args); got != statusMeasured {
				t.Fatalf("exit status %d: %s", got, errs)
			}
			if errs.String() != c.says || !strings.Contains(out.String(), `"runtime": "`+c.takes+`"`) {
				t.Errorf("said %q, want %q and %s", errs, c.says, c.takes)
			}
			if embedded.asked != 0 {
				t.Error("the host of the embedded runtime was looked at from outside")
			}
		})
	}
}

// chooser is an app with these runtimes, outside of a world.
func chooser(docker, embedded *fakeRuntime) (a *app, out, errs *bytes.Buffer) {
	out, errs = &bytes.Buffer{}, &bytes.Buffer{}
	getenv := func(string) string { return "" }
	a = fakeApp(getenv)
	a.runtimes, a.stdout, a.stderr = []lab.Runtime{docker, embedded}, out, errs
	return a, out, errs
}

func TestInAWorldNobodyAsksAnEngine(t *testing.T) {
	docker := &fakeRuntime{name: "docker"}
	a, out, errs := chooser(docker, &fakeRuntime{name: "netns"})
	a.world.inside = true
	if got := a.run(t.Context(), []string{"explain", "dnat", "--format", "json"}); got != statusMeasured {
		t.Fatalf("exit status %d: %s", got, errs)
	}
	if docker.asked != 0 || !strings.Contains(out.String(), `"runtime": "netns"`) {
		t.Errorf("docker was asked %d times; printed %s", docker.asked, out)
	}
	if errs.Len() > 0 {
		t.Errorf("it says %q again", errs)
	}
}

func TestWhatNoRuntimeCanIsToldForEach(t *testing.T) {
	a, _, errs := chooser(&fakeRuntime{name: "docker", publish: true, noEngine: true}, &fakeRuntime{name: "netns"})
	if got := a.run(t.Context(), []string{"run", "docker-publish", "--out", "none"}); got != statusCannotRun {
		t.Errorf("exit status %d, want %d", got, statusCannotRun)
	}
	want := "portlab: no runtime can do this here\n" +
		"portlab:   docker: no engine answers (start one)\n" +
		"portlab:   netns: a published port: there is no engine in here\n"
	if errs.String() != want {
		t.Errorf("told\n%s, want\n%s", errs, want)
	}
}

func TestAMistakeIsToldOnce(t *testing.T) {
	mistake := lab.Usagef("such weights make no sense")
	a, _, errs := chooser(&fakeRuntime{name: "docker", draft: mistake}, &fakeRuntime{name: "netns", draft: mistake})
	if got := a.run(t.Context(), []string{"run", "dnat", "--out", "none"}); got != statusUsage {
		t.Errorf("exit status %d, want %d", got, statusUsage)
	}
	if want := "portlab: such weights make no sense\n"; errs.String() != want {
		t.Errorf("told %q, want %q", errs, want)
	}
}
