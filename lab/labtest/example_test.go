package labtest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
)

// printing stands in for the *testing.T of a test.
type printing struct{}

func (printing) Helper()                           {}
func (printing) Logf(format string, args ...any)   { fmt.Printf(format+"\n", args...) }
func (printing) Errorf(format string, args ...any) { fmt.Printf("FAIL "+format+"\n", args...) }
func (printing) Fatalf(format string, args ...any) { fmt.Printf("FAIL "+format+"\n", args...) }

var t printing

func ExampleAssertBalanced() {
	labtest.AssertBalanced(t, []int{158, 142}, labtest.Balance{})
	// Output:
	// balanced: every share within 8.3 points of equal with 95% confidence; 300 connections would show a 58/42 split (80% power), not a 53/47 one
	//     instance    share    meant  95% interval
	//     1           52.7%      50%  47% to 58.2%
	//     2           47.3%      50%  41.8% to 53%
	//     n = 300, p = 0.356 (Pearson chi-square), tolerance 20% of each expected share
	//     false alarms: a balancer of the expected shares is refuted in at most 1% of runs
	//     such a one is shown to be balanced by 270 connections (80% power)
}

func ExampleAssertBalanced_skewed() {
	labtest.AssertBalanced(t, []int{60, 10, 7, 3, 6, 4, 10}, labtest.Balance{})
	// Output:
	// FAIL skewed: 1 got 60% where 14.3% is its share (p < 0.0001)
	//     instance    share    meant  95% interval
	//     1             60%    14.3%  46.6% to 72.1%
	//     2             10%    14.3%  4.5% to 20.9%
	//     3              7%    14.3%  2.7% to 17.1%
	//     4              3%    14.3%  0.72% to 11.6%
	//     5              6%    14.3%  2.1% to 15.8%
	//     6              4%    14.3%  1.1% to 13.1%
	//     7             10%    14.3%  4.5% to 20.9%
	//     n = 100, p < 1e-15 (Pearson chi-square), tolerance 20% of each expected share
	//     false alarms: a balancer of the expected shares is refuted in at most 1% of runs
	//     such a one is shown to be balanced by 3,600 connections (80% power)
	//     pattern: uneven: 1 got 60% where 14.3% is its share (p < 0.0001)
}

func ExampleAssertShares() {
	labtest.AssertShares(t, []int{225, 75}, []float64{3, 1}, labtest.Balance{Null: lab.RoundRobin})
	// Output:
	// balanced, and in turn: counts from 75 to 225, as one worker in turn would keep them
	//     instance    share    meant  95% interval
	//     1             75%      75%  69.8% to 79.6%
	//     2             25%      25%  20.4% to 30.2%
	//     n = 300, p = 1 (Pearson chi-square), tolerance 20% of each expected share
	//     note: turns are more even than chance, which would be as even with probability 0.053: the p-value is that of random choice and does not decide
}

func ExampleProbe() {
	n := 0
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Served-By", []string{"web1", "web2"}[n%2])
		n++
	}))
	defer web.Close()

	seen := labtest.Probe(t, web.URL, labtest.Probing{Header: "X-Served-By", Instances: []string{"web1", "web2"}})
	fmt.Println(seen.Names, seen.Connections)
	labtest.AssertBalanced(t, seen.Connections, labtest.Balance{Names: seen.Names, Null: lab.RoundRobin})
	// Output:
	// [web1 web2] [150 150]
	// balanced, and in turn: counts from 150 to 150, as one worker in turn would keep them
	//     instance    share    meant  95% interval
	//     web1          50%      50%  44.4% to 55.6%
	//     web2          50%      50%  44.4% to 55.6%
	//     n = 300, p = 1 (Pearson chi-square), tolerance 20% of each expected share
	//     note: turns are more even than chance, which would be as even with probability 0.046: the p-value is that of random choice and does not decide
}
