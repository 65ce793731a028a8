package lab_test

import (
	"path"
	"slices"
	"strings"
	"testing"
)

// rule says what a package of the project may import of the project, and why
// not more.
type rule struct {
	may []string
	why string
}

// inTests says what a package's test files may import beside what the package
// may and lab/labtest, and why.
var inTests = map[string]rule{
	"strategies": {[]string{"lab/kernel", "servers", "servers/wire"},
		"what a strategy describes is tried on a real kernel too, in a namespace of the test's own"},
	"report": {[]string{"lab/claim"},
		"a report of a million samples is made with the verdicts that a run has"},
	"cmd/http_server": {[]string{"servers/wire"},
		"an answer is read to see who gave it"},
	"lab/load": {[]string{"servers"},
		"what a driver reads is what the instrumented server writes, of every protocol"},
}

// rules is the architecture: arrows point one way, from cmd by scenarios and
// the packages in the middle to lab. docs/architecture.md shows it.
var rules = map[string]rule{
	"lab": {nil,
		"the vocabulary knows no strategy, runtime, driver or claim by name, so that any of them can be added"},
	"lab/step": {[]string{"lab"},
		"a step changes a host through the seams of lab.Host alone, so that it runs on every runtime and on the fake"},
	"lab/kernel": {[]string{"lab"},
		"the seams of one network namespace are the same under every runtime, so it knows none"},
	"lab/docker": {[]string{"lab", "lab/kernel", "lab/guard", "servers"},
		"a runtime places replicas and claims what they need; what exposes or judges them is not its affair"},
	"lab/netns": {[]string{"lab", "lab/kernel"},
		"a runtime places replicas, here with nobody to share with; what exposes or judges them is not its affair"},
	"lab/vm": {[]string{"lab", "lab/kernel"},
		"a virtual machine runs this very program on another kernel; what it is told to do there is not its affair"},
	"lab/samples": {[]string{"lab"},
		"the raw data are written and read by both ends of a pipe, by reports and by whoever reads them later"},
	"lab/load": {[]string{"lab", "lab/samples", "servers/wire"},
		"a driver sees addresses and answers, and must not know how they came to be"},
	"lab/stat": {nil,
		"mathematics on numbers, which others can check and use without the project"},
	"lab/claim": {[]string{"lab", "lab/stat"},
		"a claim is held against a measurement, whoever made it"},
	"lab/compare": {[]string{"lab", "lab/stat", "lab/claim"},
		"a comparison is many trials and what they say together; who runs one, and on what, is its caller's affair"},
	"lab/calibrate": {[]string{"lab", "lab/stat", "lab/claim", "lab/compare"},
		"the tests are held against balancers whose law is known; real runs come from its caller"},
	"lab/guard": {[]string{"lab"},
		"what sweeps must work when everything else has failed, and for every runtime"},
	"lab/labtest": {[]string{"lab", "lab/stat", "lab/claim"},
		"other packages' tests stand on it, so it stands on nothing but what judges counts"},
	"strategies": {[]string{"lab", "lab/step"},
		"a strategy describes steps and changes nothing itself: it can reach no kernel and no engine"},
	"report": {[]string{"lab", "lab/samples", "lab/stat", "lab/compare"},
		"a report renders a result and must look the same whatever made it"},
	"servers": {[]string{"servers/wire"},
		"a replica is measured, so it carries nothing of what measures it"},
	"servers/wire": {nil,
		"the format on the wire is for both ends, and for servers of other people"},
	"scenarios": {[]string{"lab", "lab/step", "lab/kernel", "lab/docker", "lab/netns", "lab/vm", "lab/load", "lab/samples", "lab/stat",
		"lab/claim", "lab/compare", "lab/calibrate", "lab/guard", "lab/labtest", "strategies", "report", "servers", "servers/wire"},
		"a scenario puts everything together; the command line is one more user of it"},
	"cmd/http_server": {[]string{"servers"},
		"it is the server alone, so that a thousand of them start fast and take little memory"},
	"cmd/portlab": {[]string{"lab", "lab/step", "lab/kernel", "lab/docker", "lab/netns", "lab/vm", "lab/load", "lab/samples", "lab/stat",
		"lab/claim", "lab/compare", "lab/calibrate", "lab/guard", "strategies", "report", "servers", "servers/wire", "scenarios"},
		"the command line puts everything together, but for what belongs to tests"},
}

// confined are the modules that only some packages may import, so that what
// they reach has one door: a package, and all below it, to its importers.
var confined = map[string]rule{
	"github.com/testcontainers/testcontainers-go": {[]string{"lab/docker"},
		"every other package works without an engine"},
	"github.com/moby/moby": {[]string{"lab/docker"},
		"every other package works without an engine"},
	"github.com/coreos/go-iptables": {[]string{"lab/kernel"},
		"rules are changed through lab.Rules, which has a strict fake"},
	"github.com/vishvananda/netlink": {[]string{"lab/kernel"},
		"links, routes and tracked connections are changed in one place"},
	"github.com/cilium/ebpf": {[]string{"lab/kernel"},
		"programs in the kernel are attached in one place"},
	"github.com/spf13/cobra": {[]string{"cmd/portlab"},
		"flags belong to the command line"},
	"github.com/vbauerster/mpb": {[]string{"cmd/portlab"},
		"progress is an event until the command line shows it"},
	"gonum.org/v1/plot": {[]string{"report"},
		"plots belong to reports"},
	"github.com/yuin/goldmark": {[]string{"report"},
		"pages belong to reports, and one place decides what of a text becomes HTML"},
}

func TestImportsPointOneWay(t *testing.T) {
	for dir, files := range packages(t) {
		r, known := rules[dir]
		if !known {
			t.Errorf("package %s has no rule: say in this file what it may import, and why", dir)
			continue
		}
		for _, f := range files {
			for _, imported := range f.imports() {
				to, own := strings.CutPrefix(imported, module+"/")
				if own && to != dir && !slices.Contains(r.may, to) && !(f.test() && forTests(dir, to)) {
					t.Errorf("%s imports %s: %s may import only %v, because %s", f.path, to, dir, r.may, r.why)
				}
			}
		}
	}
}

func forTests(dir, to string) bool {
	return to == "lab/labtest" || slices.Contains(inTests[dir].may, to)
}

func TestForeignModulesHaveOneDoor(t *testing.T) {
	for dir, files := range packages(t) {
		for _, f := range files {
			for _, imported := range f.imports() {
				for name, r := range confined {
					if (imported == name || strings.HasPrefix(imported, name+"/")) && !slices.Contains(r.may, dir) {
						t.Errorf("%s imports %s: only %v may, because %s", f.path, imported, r.may, r.why)
					}
				}
			}
		}
	}
}

// TestRulesHaveNoCircle shows that the rules themselves point one way.
func TestRulesHaveNoCircle(t *testing.T) {
	var visit func(dir string, way []string)
	visit = func(dir string, way []string) {
		if slices.Contains(way, dir) {
			t.Fatalf("the rules allow a circle: %s", strings.Join(append(way, dir), " -> "))
		}
		for _, to := range rules[dir].may {
			if _, known := rules[to]; !known {
				t.Errorf("the rule of %s names %s, which has none", dir, to)
			}
			visit(to, append(slices.Clip(way), dir))
		}
	}
	for dir := range rules {
		visit(dir, nil)
	}
}

func TestPackageNamesSayWhatIsInThem(t *testing.T) {
	empty := []string{"utils", "util", "common", "types", "helpers", "helper", "manager", "misc", "shared"}
	for dir := range packages(t) {
		if slices.Contains(empty, path.Base(dir)) {
			t.Errorf("package %s: the name says nothing about what is in it", dir)
		}
	}
}

func TestTopFolderHoldsWhatIsAgreed(t *testing.T) {
	agreed := []string{
		"cmd/", "docs/", "lab/", "report/", "scenarios/", "servers/", "strategies/", ".ci/", ".github/",
		"CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "Vagrantfile",
		"go.mod", "go.sum", ".editorconfig", ".gitattributes", ".gitignore", ".golangci.yml",
		// Made by git, by builds, runs and machines; .gitignore keeps them out.
		".git/", ".git", "bin/", "portlab-results/", ".vagrant/",
	}
	for _, name := range entries(t) {
		if !slices.Contains(agreed, name) {
			t.Errorf("%s stands in the top folder, where it has no place", name)
		}
	}
}
