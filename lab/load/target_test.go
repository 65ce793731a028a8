package load

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/portlab/portlab/lab"
)

func fakeTargets(t *testing.T, n int) []endpoint {
	t.Helper()
	var all []netip.AddrPort
	for i := range n {
		all = append(all, netip.MustParseAddrPort(fmt.Sprintf("127.0.0.%d:80", i+1)))
	}
	targets, err := newEndpoints(all, lab.DefaultPlan())
	if err != nil {
		t.Fatal(err)
	}
	return targets
}

// chiSquareP is Pearson's p-value of counts that should be equal.
func chiSquareP(counts []int) float64 {
	total := 0
	for _, c := range counts {
		total += c
	}
	expected, x := float64(total)/float64(len(counts)), 0.0
	for _, c := range counts {
		x += (float64(c) - expected) * (float64(c) - expected) / expected
	}
	return distuv.ChiSquared{K: float64(len(counts) - 1)}.Survival(x)
}

// TestPickIsUniform also holds pairs of neighbours against independence: the
// generators of neighbouring requests are seeded by neighbouring numbers. The
// seeds are fixed, so the outcome is too.
func TestPickIsUniform(t *testing.T) {
	const requests = 40_000
	for _, n := range []int{2, 3, 4, 8, 10} {
		targets := fakeTargets(t, n)
		for seed := range uint64(4) {
			single, pairs := make([]int, n), make([]int, n*n)
			before := -1
			for i := range requests {
				at := indexOf(targets, pick(targets, seed, uint64(i)))
				single[at]++
				if i%2 == 1 {
					pairs[before*n+at]++
				}
				before = at
			}
			if p := chiSquareP(single); p < 0.001 {
				t.Errorf("%d targets, seed %d: %v is not uniform, p = %g", n, seed, single, p)
			}
			if p := chiSquareP(pairs); p < 0.001 {
				t.Errorf("%d targets, seed %d: neighbours depend on each other, p = %g", n, seed, p)
			}
		}
	}
}

func indexOf(all []endpoint, t *endpoint) int {
	for i := range all {
		if &all[i] == t {
			return i
		}
	}
	return -1
}

func TestSameSeedSameTargetsWhateverTheSchedule(t *testing.T) {
	to := []netip.AddrPort{goServer(t, "foo"), goServer(t, "bar"), goServer(t, "baz")}
	sequence := func(seed uint64, concurrency int) string {
		p := plan(120, concurrency)
		p.Seed = seed
		var names strings.Builder
		for _, s := range drive(t, p, to...) {
			fmt.Fprint(&names, s.Instance, " ")
		}
		return names.String()
	}
	one := sequence(7, 1)
	if many := sequence(7, 9); many != one {
		t.Errorf("nine workers:\n%s\none worker:\n%s", many, one)
	}
	if other := sequence(8, 1); other == one {
		t.Errorf("another seed gives the same sequence:\n%s", one)
	}
}

func TestMappedAddressIsIPv4(t *testing.T) {
	targets, err := newEndpoints([]netip.AddrPort{netip.MustParseAddrPort("[::ffff:127.0.0.1]:80")}, lab.DefaultPlan())
	if err != nil {
		t.Fatal(err)
	}
	if got := targets[0].address.String(); got != "127.0.0.1:80" {
		t.Errorf("target %s", got)
	}
}
