package labtest_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
)

// noted is a test that keeps what it is told, and goes on.
type noted struct{ logs, errors, fatal []string }

func (n *noted) Helper() {}
func (n *noted) Logf(format string, args ...any) {
	n.logs = append(n.logs, fmt.Sprintf(format, args...))
}
func (n *noted) Errorf(format string, args ...any) {
	n.errors = append(n.errors, fmt.Sprintf(format, args...))
}
func (n *noted) Fatalf(format string, args ...any) {
	n.fatal = append(n.fatal, fmt.Sprintf(format, args...))
}

var _ labtest.TB = testing.TB(nil)

func TestAssertBalanced(t *testing.T) {
	cascade := []int{396, 367, 337, 284, 263, 230, 208, 187, 183, 1545}
	for name, c := range map[string]struct {
		counts []int
		how    labtest.Balance
		passes bool
		says   []string
	}{
		"the article's first counts":  {[]int{158, 142}, labtest.Balance{}, true, []string{"balanced", "p = 0.356", "at most 1% of runs", "47% to 58.2%"}},
		"the article's second counts": {[]int{143, 157}, labtest.Balance{}, true, []string{"balanced", "p = 0.419"}},
		"too few for 10%":             {[]int{158, 142}, labtest.Balance{TolerancePercent: 10}, true, []string{"warning: cannot tell", "p = 0.356", "connections would tell"}},
		"too few, strictly":           {[]int{158, 142}, labtest.Balance{TolerancePercent: 10, Strict: true}, false, []string{"cannot tell", "connections would tell"}},
		"kubernetes 37932":            {[]int{60, 10, 7, 3, 6, 4, 10}, labtest.Balance{}, false, []string{"1 got 60% where 14.3%", "pattern: uneven", "by 3,600 connections"}},
		"the cascade":                 {cascade, labtest.Balance{}, false, []string{"10 got 38.6%", "pattern: skewed by position"}},
		"names":                       {[]int{300, 0}, labtest.Balance{Names: []string{"foo", "bar"}}, false, []string{"foo got 100%"}},
		"turns":                       {[]int{151, 150}, labtest.Balance{Null: lab.RoundRobin}, true, []string{"in turn"}},
		"turns of three workers":      {[]int{3001, 2999, 3000}, labtest.Balance{Null: lab.RoundRobin, Workers: 3}, true, []string{"3 workers"}},
		"requests taken for draws":    {[]int{600, 400}, labtest.Balance{}, false, []string{"skewed"}},
		"requests on connections":     {[]int{600, 400}, labtest.Balance{PerConnection: 10}, true, []string{"cannot tell", "count as 100 connections"}},
		"a level of one's own":        {[]int{600, 500, 500}, labtest.Balance{Alpha: 0.001, TolerancePercent: 5}, true, []string{"warning"}},
		"the usual level":             {[]int{600, 500, 500}, labtest.Balance{TolerancePercent: 5}, false, []string{"skewed"}},
	} {
		t.Run(name, func(t *testing.T) {
			n := &noted{}
			if got := labtest.AssertBalanced(n, c.counts, c.how); got != c.passes || got != (len(n.errors) == 0) || len(n.fatal) > 0 {
				t.Errorf("passes: %v; %q", got, n)
			}
			text := strings.Join(append(n.logs, n.errors...), "\n")
			for _, want := range c.says {
				if !strings.Contains(text, want) {
					t.Errorf("no %q in\n%s", want, text)
				}
			}
		})
	}
}

func TestAssertShares(t *testing.T) {
	for _, c := range []struct {
		counts []int
		shares []float64
		passes bool
	}{
		{[]int{2260, 740}, []float64{3, 1}, true}, {[]int{2260, 740}, []float64{0.75, 0.25}, true}, {[]int{150, 150}, []float64{3, 1}, false},
	} {
		n := &noted{}
		if got := labtest.AssertShares(n, c.counts, c.shares, labtest.Balance{}); got != c.passes {
			t.Errorf("%v of %v: %v; %q", c.counts, c.shares, got, n)
		}
	}
}

func TestAssertionsRefuseWhatTheyCannotJudge(t *testing.T) {
	for name, assert := range map[string]func(labtest.TB) bool{
		"no counts": func(t labtest.TB) bool { return labtest.AssertBalanced(t, nil, labtest.Balance{}) },
		"one count": func(t labtest.TB) bool { return labtest.AssertBalanced(t, []int{300}, labtest.Balance{}) },
		"negative":  func(t labtest.TB) bool { return labtest.AssertBalanced(t, []int{3, -1}, labtest.Balance{}) },
		"tolerance": func(t labtest.TB) bool {
			return labtest.AssertBalanced(t, []int{3, 1}, labtest.Balance{TolerancePercent: -1})
		},
		"alpha": func(t labtest.TB) bool { return labtest.AssertBalanced(t, []int{3, 1}, labtest.Balance{Alpha: 5}) },
		"names": func(t labtest.TB) bool {
			return labtest.AssertBalanced(t, []int{3, 1}, labtest.Balance{Names: []string{"a"}})
		},
		"no shares":      func(t labtest.TB) bool { return labtest.AssertShares(t, []int{3, 1}, nil, labtest.Balance{}) },
		"too few shares": func(t labtest.TB) bool { return labtest.AssertShares(t, []int{3, 1}, []float64{1}, labtest.Balance{}) },
		"share of nobody": func(t labtest.TB) bool {
			return labtest.AssertShares(t, []int{3, 1}, []float64{1, 0}, labtest.Balance{})
		},
	} {
		n := &noted{}
		if assert(n) || len(n.fatal) != 1 || len(n.errors) > 0 {
			t.Errorf("%s: %q", name, n)
		}
	}
}

// A fair balancer fails no more often than is stated.
func TestAssertBalancedKeepsItsRateOfFalseAlarms(t *testing.T) {
	const runs = 1000
	rng := rand.New(rand.NewPCG(1, 9))
	failed := 0
	for range runs {
		counts := make([]int, 3)
		for range 300 {
			counts[rng.IntN(3)]++
		}
		if !labtest.AssertBalanced(&noted{}, counts, labtest.Balance{Alpha: 0.05, TolerancePercent: 10}) {
			failed++
		}
	}
	// 50 are to be expected, and more than 78 in fewer than one of ten thousand
	// repetitions.
	if failed > 78 || failed == 0 {
		t.Errorf("%d of %d fair runs failed at 5%%", failed, runs)
	}
}

// front is a server that answers by the given instances in turn.
func front(t *testing.T, answer func(w http.ResponseWriter, request int)) string {
	t.Helper()
	n := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answer(w, n)
		n++
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestProbe(t *testing.T) {
	connections := map[string]bool{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Served-By", []string{"foo", "bar"}[len(connections)%2])
		connections[r.RemoteAddr] = true
		_, _ = fmt.Fprintf(w, " I am %s\n", w.Header().Get("X-Served-By"))
	}))
	t.Cleanup(s.Close)
	for name, c := range map[string]struct {
		how  labtest.Probing
		want labtest.Counts
	}{
		"header":    {labtest.Probing{Header: "x-served-by"}, labtest.Counts{Names: []string{"bar", "foo"}, Connections: []int{5, 5}}},
		"group":     {labtest.Probing{Pattern: `I am (\w+)`}, labtest.Counts{Names: []string{"bar", "foo"}, Connections: []int{5, 5}}},
		"match":     {labtest.Probing{Pattern: `foo|bar`}, labtest.Counts{Names: []string{"bar", "foo"}, Connections: []int{5, 5}}},
		"body":      {labtest.Probing{}, labtest.Counts{Names: []string{"I am bar", "I am foo"}, Connections: []int{5, 5}}},
		"instances": {labtest.Probing{Pattern: `foo|bar`, Instances: []string{"foo", "none", "bar"}}, labtest.Counts{Names: []string{"foo", "none", "bar"}, Connections: []int{5, 0, 5}}},
	} {
		clear(connections)
		c.how.Requests = 10
		n := &noted{}
		got := labtest.Probe(n, s.URL, c.how)
		if !slices.Equal(got.Names, c.want.Names) || !slices.Equal(got.Connections, c.want.Connections) || len(n.errors)+len(n.fatal) > 0 {
			t.Errorf("%s: %v, want %v; %q", name, got, c.want, n)
		}
		if len(connections) != 10 {
			t.Errorf("%s: 10 requests came on %d connections", name, len(connections))
		}
	}
}

func TestProbeFailsTheTest(t *testing.T) {
	for name, c := range map[string]struct {
		how    labtest.Probing
		answer func(w http.ResponseWriter, request int)
		says   string
	}{
		"a status":  {labtest.Probing{}, func(w http.ResponseWriter, _ int) { http.Error(w, "no", http.StatusBadGateway) }, "20 of 20 requests"},
		"redirects": {labtest.Probing{}, func(w http.ResponseWriter, _ int) { w.Header().Set("Location", "/"); w.WriteHeader(http.StatusFound) }, "302"},
		"nameless":  {labtest.Probing{Header: "X-Served-By"}, func(w http.ResponseWriter, _ int) { _, _ = fmt.Fprint(w, "hello") }, `does not say who gave it: "hello"`},
		"a stranger": {labtest.Probing{Instances: []string{"foo"}}, func(w http.ResponseWriter, i int) {
			_, _ = fmt.Fprint(w, []string{"foo", "bar"}[min(i/19, 1)])
		}, `1 of 20 requests`},
		"no names":    {labtest.Probing{}, func(w http.ResponseWriter, i int) { _, _ = fmt.Fprint(w, i) }, "name 20 instances"},
		"out of time": {labtest.Probing{Within: time.Nanosecond}, func(http.ResponseWriter, int) {}, "was asked 0 times"},
	} {
		c.how.Requests = 20
		n := &noted{}
		labtest.Probe(n, front(t, c.answer), c.how)
		if len(n.errors) != 1 || !strings.Contains(n.errors[0], c.says) || len(n.fatal) > 0 {
			t.Errorf("%s: %q", name, n)
		}
	}
	for name, c := range map[string]struct {
		url string
		how labtest.Probing
	}{
		"too many": {"http://127.0.0.1/", labtest.Probing{Requests: 1_000_000}}, "two ways": {"http://127.0.0.1/", labtest.Probing{Header: "A", Pattern: "b"}},
		"pattern": {"http://127.0.0.1/", labtest.Probing{Pattern: "("}}, "url": {"http://[", labtest.Probing{}},
	} {
		n := &noted{}
		if labtest.Probe(n, c.url, c.how); len(n.fatal) != 1 {
			t.Errorf("%s: %q", name, n)
		}
	}
}
