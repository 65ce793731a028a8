package scenarios

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/vm"
)

// Machine runs commands on a kernel of its own, on which portlab is installed:
// a [vm.Machine].
type Machine interface {
	Run(ctx context.Context, c vm.Command) (status int, err error)
}

// In runs a trial as portlab's command line in a machine, on the runtime of
// that name, and returns its result, or an error that says which expectation
// was not met. What the machine cannot run is a [lab.UnsupportedError].
func In(ctx context.Context, m Machine, runtime string, t Trial) (*lab.Result, error) {
	var stdout, stderr bytes.Buffer
	status, err := m.Run(ctx, vm.Command{Args: t.words(runtime), Dir: "/tmp", Stdout: &stdout, Stderr: &stderr})
	if err != nil {
		return nil, err
	}
	said := strings.TrimPrefix(strings.TrimSpace(stderr.String()), "portlab: ")
	switch status {
	case 0, 1: // a refuted claim may be what is expected
	case 3:
		return nil, &lab.UnsupportedError{What: t.Strategy + " in the machine", Reason: said}
	default:
		return nil, fmt.Errorf("%s from %s in the machine: exit status %d: %s", t.Strategy, t.Vantage, status, said)
	}
	r := &lab.Result{}
	if err := json.Unmarshal(stdout.Bytes(), r); err != nil {
		return nil, errors.Join(fmt.Errorf("read the result from the machine: %w", err), errors.New(said))
	}
	return r, t.unmet(r)
}

// words are the command line that carries out a trial.
func (t Trial) words(runtime string) []string {
	p := t.plan()
	words := []string{
		"portlab", "run", t.Strategy, "--runtime", runtime, "--vantage", string(t.Vantage),
		"--replicas", strconv.Itoa(t.Replicas), "--requests", strconv.Itoa(p.Requests),
		"--concurrency", strconv.Itoa(p.Concurrency), "--timeout", p.Timeout.String(),
		"--quiet", "--no-report", "--format", "json",
	}
	if t.Family != 0 {
		words = append(words, "--ip", strconv.Itoa(int(t.Family)))
	}
	if t.Impair != "" {
		words = append(words, "--impair", t.Impair)
	}
	if len(t.Weights) > 0 {
		var all []string
		for _, w := range t.Weights {
			all = append(all, strconv.FormatFloat(w, 'g', -1, 64))
		}
		words = append(words, "--weights", strings.Join(all, ","))
	}
	if t.Link != "" {
		words = append(words, "--link", string(t.Link))
	}
	for _, e := range t.Expect {
		words = append(words, "--claim", e.Claim)
	}
	return words
}
