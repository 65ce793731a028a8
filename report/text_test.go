package report

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/portlab/portlab/lab"
)

func shownText(t *testing.T, r *lab.Result, color bool) string {
	t.Helper()
	var b bytes.Buffer
	if err := Text(&b, r, color); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTextFitsTheTerminal(t *testing.T) {
	check := func(name string, r *lab.Result) {
		for line := range strings.Lines(shownText(t, r, false)) {
			line = strings.TrimSuffix(line, "\n")
			if n := utf8.RuneCountInString(line); n > textWidth {
				t.Errorf("%s: %d columns: %s", name, n, line)
			}
			if strings.ContainsFunc(line, unicode.IsControl) {
				t.Errorf("%s: a control character: %q", name, line)
			}
		}
	}
	for _, f := range fixtures() {
		r, _ := f.make()
		check(f.name, r)
	}
	for _, bad := range append(hostile, strings.Repeat("long", 80)) {
		r, _ := hostileResult(bad)
		check(bad, r)
	}
}

var sgr = regexp.MustCompile("\x1b\\[[0-9;]*m")

func TestColourAddsNothingButColour(t *testing.T) {
	for _, f := range fixtures() {
		r, _ := f.make()
		coloured := shownText(t, r, true)
		if !sgr.MatchString(coloured) {
			t.Errorf("%s: no colour", f.name)
		}
		if sgr.ReplaceAllString(coloured, "") != shownText(t, r, false) {
			t.Errorf("%s: the text differs with colour", f.name)
		}
	}
}

func TestTextSumsUpManyReplicas(t *testing.T) {
	r, _ := fixtures()[3].make()
	s := shownText(t, r, false)
	if n := strings.Count(s, "\n"); n > 40 {
		t.Errorf("%d lines for 1,000 replicas", n)
	}
	for _, want := range []string{"fewest 0", "median 3", "garply", "r512"} { // the two that are silent
		if !strings.Contains(s, want) {
			t.Errorf("no %q in:\n%s", want, s)
		}
	}
}

func TestTextListsEachReplicaOfAFew(t *testing.T) {
	for _, n := range []int{1, 2, textRows} {
		f := fixture{weights: equal(n), counts: uneven(n + 600)[:n], verdicts: balancedVerdicts}
		r, _ := f.make()
		s := shownText(t, r, false)
		for _, in := range r.Instances {
			if got := strings.Count(s, "\n  "+in.Name+" "); got != 2 { // counts, latency
				t.Errorf("%d replicas: %s is listed %d times in:\n%s", n, in.Name, got, s)
			}
		}
	}
}

func TestTextWarnsBeforeOtherCaveats(t *testing.T) {
	r, _ := fixtures()[1].make()
	s := shownText(t, r, false)
	warning, other := strings.Index(s, "skewed by design"), strings.Index(s, "conntrack sticks")
	if warning < 0 || other < warning {
		t.Errorf("warning at %d, other caveat at %d", warning, other)
	}
}
