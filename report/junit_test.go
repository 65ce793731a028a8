package report

import (
	"bytes"
	"encoding/xml"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab"
)

func junitOf(t *testing.T, r *lab.Result) junitSuite {
	t.Helper()
	var b bytes.Buffer
	if err := JUnit(&b, r); err != nil {
		t.Fatal(err)
	}
	var read junitSuites
	if err := xml.Unmarshal(b.Bytes(), &read); err != nil {
		t.Fatal(err)
	}
	if len(read.Suites) != 1 {
		t.Fatalf("%d suites", len(read.Suites))
	}
	return read.Suites[0]
}

// A CI is red for a run just where portlab's exit status is not 0.
func TestJUnitFailsWhereTheRunDoes(t *testing.T) {
	for _, c := range []struct {
		outcome lab.Outcome
		asked   bool
		want    string
	}{
		{lab.Held, true, "passed"}, {lab.Held, false, "passed"},
		{lab.Refuted, true, "failed"}, {lab.Refuted, false, "skipped"},
		{lab.Inconclusive, true, "skipped"}, {lab.Inconclusive, false, "skipped"},
		{lab.RefusedByHost, true, "skipped"}, {lab.Unsupported, true, "skipped"},
		{lab.Broken, true, "error"}, {lab.Broken, false, "error"},
	} {
		r := first(fixtures()[0].make())
		r.Verdicts = []lab.Verdict{{Claim: "c", Outcome: c.outcome, Asked: c.asked, Sentence: "because"}}
		s := junitOf(t, r)
		counts := map[string]int{"failed": s.Failures, "error": s.Errors, "skipped": s.Skipped}
		counts["passed"] = s.Tests - s.Failures - s.Errors - s.Skipped
		if s.Tests != 1 || len(s.Cases) != 1 || counts[c.want] != 1 {
			t.Errorf("%s, asked for: %v: %d tests of which %v, want one that is %s", c.outcome, c.asked, s.Tests, counts, c.want)
		}
		if failed := s.Failures > 0; failed != r.Refuted() {
			t.Errorf("%s, asked for: %v: failed is %v, and the run's refutation %v", c.outcome, c.asked, failed, r.Refuted())
		}
		for _, m := range []*junitMessage{s.Cases[0].Failure, s.Cases[0].Error, s.Cases[0].Skipped} {
			if m != nil && !strings.Contains(m.Message, "because") {
				t.Errorf("%s: the message %q does not say why", c.outcome, m.Message)
			}
		}
	}
}

func TestJUnitOfHostileTextIsXML(t *testing.T) {
	for _, bad := range append(hostile, "]]>", "\x00\x0b", `"`, "</testcase>") {
		r, _ := hostileResult(bad)
		s := junitOf(t, r)
		if len(s.Cases) != len(r.Verdicts) || s.Tests != len(r.Verdicts) {
			t.Errorf("%q: %d cases of %d claims", bad, len(s.Cases), len(r.Verdicts))
		}
		if got := s.Cases[1].Name; got != printable(bad) {
			t.Errorf("%q became %q", bad, got)
		}
	}
}
