package scenarios_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
	"github.com/portlab/portlab/lab/netns"
	"github.com/portlab/portlab/lab/vm"
	"github.com/portlab/portlab/report"
	"github.com/portlab/portlab/scenarios"
)

// What needs a kernel that not every machine has holds on each kernel of which
// somebody has made a tiny image.
func TestScenariosInAMachine(t *testing.T) {
	for _, image := range tinyImages(t) {
		t.Run(image.Name, func(t *testing.T) {
			m := startAll(t, map[string]vm.Config{"lab": {Image: image}})["lab"]
			for _, s := range scenarios.All() {
				if len(s.Kernel) == 0 {
					continue // every kernel has what it needs
				}
				t.Run(s.Name, func(t *testing.T) { scenarioIn(t, m, image, s) })
			}
		})
	}
}

// tinyImages are the images of the smallest kind, of whatever kernel.
func tinyImages(t *testing.T) []vm.Image {
	t.Helper()
	imageOf(t, "vm", vm.Tiny)
	dir, err := vm.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	all, err := vm.Images(dir)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(i vm.Image) bool { return i.Kind != vm.Tiny })
}

func scenarioIn(t *testing.T, m *vm.Machine, image vm.Image, s scenarios.Scenario) {
	for _, module := range s.Kernel {
		labtest.Require(t, "vm", !slices.Contains(image.Lacks, module), fmt.Sprintf("the kernel of %s has no %s", image.Name, module))
	}
	for _, trial := range s.Trials {
		t.Run(trial.Strategy+"-from-"+string(trial.Vantage), func(t *testing.T) {
			r, err := scenarios.In(t.Context(), m, netns.New(netns.Options{}).Name(), trial)
			if err != nil {
				t.Fatal(err)
			}
			if r.Environment.Emulated != m.Emulated() || r.Environment.Kernel != image.Release {
				t.Errorf("the result is of Linux %s, emulated: %v", r.Environment.Kernel, r.Environment.Emulated)
			}
			for _, in := range r.Instances {
				t.Logf("%s: %d connections, client address %s", in.Name, in.Connections, r.ClientAddress)
			}
			if v := r.Verdicts[0]; v.PValue != nil {
				t.Logf("%s: %s, p = %.3g", v.Claim, v.Outcome, *v.PValue)
			}
		})
	}
}

// The same trial, by one command line of a user's.
func TestIPVSInAMachineByTheCommandLine(t *testing.T) {
	image := imageOf(t, "vm", vm.Tiny)
	p := start(t, nil, "run", "ipvs", "--replicas", "2", "--requests", "300", "--in-vm", "--out", "report", "--claim", "shares", "--claim", "client address kept")
	if got := p.status(t); got != 0 {
		t.Fatalf("exit status %d\n%s", got, p.stderr.String())
	}
	r, _, err := report.Read(filepath.Join(p.Dir, "report"))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(r.Command, "--in-vm=true") || !slices.Contains(r.Command, image.Name) {
		t.Errorf("it is repeated by %q", r.Command)
	}
	for _, in := range r.Instances {
		if in.Connections != 150 || !slices.Equal(in.Clients, []string{"198.19.0.2"}) {
			t.Errorf("%s: %d connections from %v, want every other of 300, from the client", in.Name, in.Connections, in.Clients)
		}
	}
	if r.ClientAddress != lab.AddressKept {
		t.Errorf("the client's address is %s", r.ClientAddress)
	}
}

// A run that is interrupted in a machine ends as it would here: told so, with
// its exit status, and with no report.
func TestInterruptedRunInAMachine(t *testing.T) {
	imageOf(t, "vm", vm.Tiny)
	p := start(t, nil, "run", "dnat", "--in-vm", "--requests", "1000000")
	p.says(t, string(lab.Probing)+": done")
	if err := p.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if got := p.status(t); got != 130 {
		t.Errorf("exit status %d, want 130\n%s", got, p.stderr.String())
	}
	p.says(t, "interrupted by SIGINT")
	if left, err := os.ReadDir(p.Dir); err != nil || len(left) > 0 {
		t.Errorf("there is %v, %v", left, err)
	}
}
