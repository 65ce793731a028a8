package report

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/portlab/portlab/lab"
)

// JUnit writes the claims of a run as JUnit XML, which CI servers show: a test
// suite for the run, a test case for each claim. There is no standard; it keeps
// to what Jenkins, GitLab and the schema of Apache Ant's task have in common.
//
// A claim that was asked for and refuted is a failure, and one that something
// else broke an error. Whatever else is not held is skipped, with the reason: an
// inconclusive claim is neither shown nor refuted, and a claim that is made by default
// fails no build.
func JUnit(w io.Writer, r *lab.Result) error {
	return writeJUnit(w, []junitSuite{suiteOf(r)})
}

func writeJUnit(w io.Writer, suites []junitSuite) error {
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(junitSuites{Suites: suites}); err != nil {
		return fmt.Errorf("write JUnit XML: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

type junitSuites struct {
	XMLName xml.Name     `xml:"testsuites"`
	Suites  []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Seconds    string          `xml:"time,attr"`
	Started    string          `xml:"timestamp,attr"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Seconds string        `xml:"time,attr"`
	Failure *junitMessage `xml:"failure"`
	Error   *junitMessage `xml:"error"`
	Skipped *junitMessage `xml:"skipped"`
	Output  string        `xml:"system-out,omitempty"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

func suiteOf(r *lab.Result) junitSuite {
	s := newSuite(title(r), r.Started, r.Timings.Total,
		property("run", string(r.Run)), property("strategy", r.FullName()), property("runtime", r.Runtime),
		property("vantage", string(r.Vantage)), property("replicas", whole(r.Replicas)), property("load", load(r.Plan)))
	s.markEmulated(r.Environment)
	for _, v := range r.Verdicts {
		s.add(caseOf("portlab."+className(r), v))
	}
	return s
}

// className groups the cases of a strategy. Some servers take dots in it for
// packages, so a name has none of its own.
func className(r *lab.Result) string {
	return strings.ReplaceAll(printable(cmp.Or(r.FullName(), r.Runtime)), ".", "_")
}

func newSuite(name string, started time.Time, took time.Duration, properties ...junitProperty) junitSuite {
	return junitSuite{Name: printable(name), Seconds: seconds(took),
		Started: started.UTC().Format("2006-01-02T15:04:05"), Properties: properties}
}

func property(name, value string) junitProperty {
	return junitProperty{Name: name, Value: printable(value)}
}

// markEmulated has a server show beside a suite that its times are an emulator's.
func (s *junitSuite) markEmulated(e lab.Environment) {
	if e.Emulated {
		s.Properties = append(s.Properties, property(emulated, "true"))
	}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }

// add counts a case.
func (s *junitSuite) add(c junitCase) {
	s.Cases = append(s.Cases, c)
	s.Tests++
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Error != nil:
		s.Errors++
	case c.Skipped != nil:
		s.Skipped++
	}
}

// caseOf is a claim as a test case. Judging takes no time to speak of.
func caseOf(class string, v lab.Verdict) junitCase {
	c := junitCase{Class: class, Name: printable(v.Claim), Seconds: seconds(0), Output: details(v)}
	m := &junitMessage{Message: printable(fmt.Sprintf("%s: %s", v.Outcome, orWord(v.Sentence, v.Claim))), Type: string(v.Outcome)}
	switch {
	case v.Outcome == lab.Held:
	case v.Outcome == lab.Broken:
		m.Text, c.Output, c.Error = c.Output, "", m
	case v.Outcome == lab.Refuted && v.Asked:
		m.Text, c.Output, c.Failure = c.Output, "", m
	case v.Outcome == lab.Refuted:
		m.Message += " (made by default and not asked for, so that it fails no build: name it with --claim, or use --assert)"
		m.Type, c.Skipped = "", m
	default:
		m.Type, c.Skipped = "", m
	}
	return c
}

// details are a verdict's sentence, figures and warnings, a line each.
func details(v lab.Verdict) string {
	lines := []string{orWord(v.Sentence, v.Claim)}
	if found := finding(v); len(found) > 0 {
		lines = append(lines, strings.Join(found, ", "))
	}
	if v.NeedN > v.N {
		lines = append(lines, fmt.Sprintf("%s observations would settle it; there are %s", whole(v.NeedN), whole(v.N)))
	}
	for _, w := range v.Warnings {
		lines = append(lines, "warning: "+w)
	}
	for i := range lines {
		lines[i] = printable(lines[i])
	}
	return strings.Join(lines, "\n")
}
