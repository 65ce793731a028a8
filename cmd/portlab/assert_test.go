package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab"
)

// asserted carries out portlab assert, and demands an exit status.
func asserted(t *testing.T, want int, stdin string, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	a := &app{stdin: strings.NewReader(stdin), stdout: &out, stderr: &errs, getenv: func(string) string { return "" }}
	if got := a.run(t.Context(), append([]string{"assert"}, args...)); got != want {
		t.Errorf("%q: exit status %d, want %d: %s%s", args, got, want, out.String(), errs.String())
	}
	return out.String(), errs.String()
}

func TestAssertCounts(t *testing.T) {
	cascade := "396,367,337,284,263,230,208,187,183,1545"
	for _, c := range []struct {
		args   string
		status int
		says   []string // on the standard output
		warns  string
	}{
		{"--counts 158,142", 0, []string{"held: balanced", "p = 0.356"}, ""},
		{"--counts 143,157 --strict", 0, []string{"held: balanced", "p = 0.419"}, ""},
		{"--counts 60,10,7,3,6,4,10", 1, []string{"refuted: skewed: 1 got 60%", "pattern: uneven"}, "portlab: refuted: every share within 20%"},
		{"--counts " + cascade, 1, []string{"refuted: skewed: 10 got 38.6%", "p < 1e-15", "pattern: skewed by position"}, "refuted"},
		{"--counts 158,142 --tolerance 5%", 0, []string{"inconclusive", "p = 0.356", "4,300 connections would tell"}, "portlab: warning: inconclusive"},
		{"--counts 158,142 --tolerance 5% --strict", 1, []string{"inconclusive"}, "portlab: inconclusive, with --strict"},
		{"--counts 300,0", 1, []string{"1 got 100%", "pattern: one instance only"}, "refuted"},
		{"--counts web1=301,web2=99 --weights 3,1", 0, []string{"web1", "held"}, ""},
		{"--counts web1=150,web2=150 --weights 3,1", 1, []string{"web1 got 50% where 75%"}, "refuted"},
		{"--counts 2260,740 --shares 0.75,0.25 --tolerance 15%", 0, []string{"held", "tolerance 15%"}, ""},
		{"--counts 151,150 --null round-robin", 0, []string{"held: balanced, and in turn", "p = 0.954"}, ""},
		{"--counts 3002,3000,3001 --null round-robin --workers 2", 0, []string{"in turn"}, ""},
		{"--counts 600,500,500 --tolerance 5%", 1, []string{"p = 0.00193"}, "refuted"},
		{"--counts 600,500,500 --tolerance 5% --alpha 0.001", 0, []string{"p = 0.00193", "at most 0.10% of runs"}, "inconclusive"},
		{"--counts 600,400", 1, []string{"refuted"}, "refuted"},
		{"--counts 600,400 --per-connection 10", 0, []string{"p = 0.0455", "count as 100 connections"}, "inconclusive"},
		{"--counts 8,1 --null unknown", 0, []string{"p = 0.0391 (exact multinomial)"}, "inconclusive"},
	} {
		stdout, stderr := asserted(t, c.status, "", strings.Fields(c.args)...)
		for _, want := range c.says {
			if !strings.Contains(stdout, want) {
				t.Errorf("%s: no %q in\n%s", c.args, want, stdout)
			}
		}
		if !strings.Contains(stderr, c.warns) || c.warns == "" && stderr != "" {
			t.Errorf("%s: the standard error says %q", c.args, stderr)
		}
	}
}

func TestAssertReadsCounts(t *testing.T) {
	for _, stdin := range []string{
		"  158 foo\n  142 bar\n",           // as uniq -c prints them
		"foo 158\n\n# a comment\nbar\t142", // a name and a count
		"158 foo\r\n142 bar\r\n",           // from elsewhere
	} {
		text, _ := asserted(t, statusMeasured, stdin, "--counts", "-", "--format", "json")
		var s assertion
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Fatal(err)
		}
		want := []assertedInstance{{"foo", 158, 0.5}, {"bar", 142, 0.5}}
		if !slices.Equal(s.Instances, want) || len(s.Verdicts) != 1 || s.Verdicts[0].PValue == nil || s.Behaviour.Name != lab.LooksRandomOrHash {
			t.Errorf("%q reads as %+v", stdin, s)
		}
	}
	asserted(t, statusMeasured, "158\n142\n", "--counts", "-")
	text, _ := asserted(t, statusMeasured, "    158 served by web 1\n    142 served by web 2\n", "--counts", "-")
	if !strings.Contains(text, "served by web 2 ") {
		t.Error(text)
	}
	for stdin, want := range map[string]string{
		"": "2 to 10000 instances, not of 0", "foo 1\nfoo 2\n": `a count of "foo" already`, "1 2\n": "which of the two is the count?",
		"foo bar\n": "a name and a count", "foo\n": "a name and a count", strings.Repeat("x", 5000): "cannot read", "foo 3\nbar -1\n": "must be from 0",
	} {
		if _, said := asserted(t, statusUsage, stdin, "--counts", "-"); !strings.Contains(said, want) {
			t.Errorf("%.20q: %s", stdin, said)
		}
	}
}

func TestAssertRefusesBadInput(t *testing.T) {
	for args, want := range map[string]string{
		"":                                           "--counts or --url",
		"--counts 1,2 --url http://127.0.0.1/":       "one of the two",
		"--counts 158":                               "2 to 10000 instances",
		"--counts 1,x":                               `"x" is none`,
		"--counts a=1,2":                             "for each count or for none",
		"--counts 0,0":                               "all counts are 0",
		"--counts a=1,a=2":                           `"a" is none, or there twice`,
		"--counts 1,2 --tolerance 20":                "--tolerance wants",
		"--counts 1,2 --tolerance 0%":                "--tolerance wants",
		"--counts 1,2 --alpha 1":                     "--alpha wants",
		"--counts 1,2 --null sideways":               "--null wants",
		"--counts 1,2 --weights 1,2,3":               "3 weights for 2 counts",
		"--counts 1,2 --weights 1,0":                 "positive",
		"--counts 1,2 --shares 0.5,0.4":              "must sum to 1, not to 0.9",
		"--counts 1,2 --shares 1,0 --weights 1":      "say the same",
		"--counts 1,2 --instances a,b":               "--instances is for --url",
		"--counts 1,2 --per-connection 0":            "at least 1",
		"--counts 1,2 --format yaml":                 "--format wants",
		"--url http://127.0.0.1/ --weights 3,1":      "--instances, in the same order",
		"--url 127.0.0.1":                            "is no URL",
		"--url http://127.0.0.1/ --ip 5":             "--ip wants 4 or 6",
		"--url http://127.0.0.1/ --per-connection 2": "a connection of its own",
		"--url http://127.0.0.1/ --requests 0":       "number of requests",
		"158,142":                                    "does not know what to do with",
	} {
		if stdout, said := asserted(t, statusUsage, "", strings.Fields(args)...); !strings.Contains(said, want) || stdout != "" {
			t.Errorf("%s: %s", args, said)
		}
	}
}

// serving is a server whose answers say who gave them, of k instances in turn.
func serving(t *testing.T, k int) string {
	t.Helper()
	n := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Served-By", fmt.Sprintf("web%d", n%k))
		n++
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestAssertURL(t *testing.T) {
	ask := func(url string, args ...string) []string {
		return append([]string{"--url", url, "--requests", "300", "--instance-header", "X-Served-By"}, args...)
	}
	text, _ := asserted(t, statusMeasured, "", ask(serving(t, 2), "--null", "round-robin")...)
	for _, want := range []string{"held: balanced, and in turn: counts from 150 to 150", "n = 300, p = 1", "pattern: round robin", "held: nothing lost"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	text, _ = asserted(t, statusRefuted, "", ask(serving(t, 2), "--instances", "web0,web1", "--weights", "3,1")...)
	if !strings.Contains(text, "web0 got 50% where 75% is its share") {
		t.Error(text)
	}
	text, _ = asserted(t, statusRefuted, "", ask(serving(t, 2), "--instances", "web0,web1,web9")...)
	if !strings.Contains(text, "web9 got 0%") {
		t.Error(text)
	}
	foo := served(t, "http", "foo")
	if _, said := asserted(t, statusUsage, "", "--url", foo, "--requests", "20"); !strings.Contains(said, "foo answered all of 20 requests") {
		t.Error(said)
	}
	asserted(t, statusRefuted, "", "--url", foo, "--requests", "100", "--instances", "foo,bar")
	if _, said := asserted(t, statusUsage, "", "--url", serving(t, 2), "--requests", "20"); !strings.Contains(said, "no answer of http://127.0.0.1") {
		t.Error(said)
	}
	if _, said := asserted(t, statusBroken, "", "--url", "http://127.0.0.1:1/", "--requests", "3"); !strings.Contains(said, "was answered: refused") {
		t.Error(said)
	}
}

// What is lost refutes, though the shares of the rest are as they should be.
func TestAssertURLBlamesLosses(t *testing.T) {
	n := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Served-By", fmt.Sprintf("web%d", n%2))
		if n++; n == 100 {
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
	t.Cleanup(s.Close)
	text, said := asserted(t, statusRefuted, "", "--url", s.URL, "--requests", "300", "--instance-header", "X-Served-By", "--null", "round-robin", "--workers", "2")
	if !strings.Contains(text, "lost: 1 of 300 requests failed") || !strings.Contains(said, "refuted: no request fails") {
		t.Errorf("%s%s", text, said)
	}
}
