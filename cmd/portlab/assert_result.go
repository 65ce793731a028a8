package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/claim"
)

// assertion is what assert prints as JSON.
type assertion struct {
	Verdicts  []lab.Verdict      `json:"verdicts"` // the first is that on the shares
	Behaviour lab.Behaviour      `json:"behaviour"`
	Instances []assertedInstance `json:"instances"`
}

// assertedInstance is what was counted of one instance.
type assertedInstance struct {
	Name     string  `json:"name"`
	Counted  int     `json:"counted"`
	Expected float64 `json:"expected_share"`
}

// print writes it to the standard output.
func (s *assertion) print(w io.Writer, format string, shares claim.Shares) error {
	if format == formatJSON {
		return printJSON(w, s)
	}
	var b strings.Builder
	for i, v := range s.Verdicts {
		fmt.Fprintf(&b, "%s: %s\n", v.Outcome, v.Sentence)
		if i == 0 {
			fmt.Fprintf(&b, "  %s\n", strings.Join(claim.Figures(v, shares), "\n  "))
			fmt.Fprintf(&b, "  pattern: %s: %s\n", s.Behaviour.Name, s.Behaviour.Sentence)
		}
		for _, w := range v.Warnings {
			fmt.Fprintf(&b, "  note: %s\n", w)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// unsettledError says that what was to be shown was not, where that is to fail.
type unsettledError struct{ claims []string }

func (e *unsettledError) Error() string {
	return "inconclusive, with --strict: " + strings.Join(e.claims, "; ")
}

// Unwrap gives it the exit status of a refutation.
func (e *unsettledError) Unwrap() error { return &refutedError{claims: e.claims} }

// outcome is the error for what was refuted or, if strict, was not shown. What
// cannot be told is else a warning.
func (s *assertion) outcome(stderr io.Writer, strict bool) error {
	var refuted, open []string
	for _, v := range s.Verdicts {
		switch v.Outcome {
		case lab.Held:
		case lab.Inconclusive:
			open = append(open, v.Claim)
		default:
			refuted = append(refuted, v.Claim)
		}
	}
	switch {
	case len(refuted) > 0:
		return &refutedError{claims: refuted}
	case len(open) > 0 && strict:
		return &unsettledError{claims: open}
	case len(open) > 0:
		fmt.Fprintf(stderr, "portlab: warning: inconclusive: %s\n", strings.Join(open, "; "))
	}
	return nil
}
