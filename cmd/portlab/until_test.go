package main

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portlab/portlab/lab"
)

// ran carries out portlab run on a fake runtime, and demands an exit status.
func ran(t *testing.T, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	a := &app{
		stdout: &out, stderr: &errs, getenv: func(string) string { return "" },
		runtimes: []lab.Runtime{&fakeRuntime{name: "docker"}},
	}
	if got := a.run(t.Context(), append([]string{"run"}, args...)); got != want {
		t.Errorf("exit status %d, want %d: %s", got, want, errs.String())
	}
	return out.String(), errs.String()
}

// The load ends early, in a process of its own, with nothing lost and nothing
// blamed, and its report comes to the same verdict again.
func TestRunUntilSettled(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, concurrency := range []string{"1", "16"} {
		text, _ := ran(t, statusMeasured, "client-side", "--vantage", "host", "--until", "settled", "--concurrency", concurrency,
			"--assert", "--format", "json", "-q")
		var res lab.Result
		if err := json.Unmarshal([]byte(text), &res); err != nil {
			t.Fatal(err)
		}
		if res.Plan.Requests != mostUntilSettled || res.Requests >= mostUntilSettled/2 || len(res.Faults) > 0 || res.Client.CPU() == 0 {
			t.Errorf("%d requests of at most %d, faults %v, client %+v", res.Requests, res.Plan.Requests, res.Faults, res.Client)
		}
		v := res.Verdicts[0]
		if v.Outcome != lab.Held || v.N > res.Connections || v.Test != "confidence sequences of shares" {
			t.Errorf("%s by %s, %d of %d connections: %s", v.Outcome, v.Test, v.N, res.Connections, v.Sentence)
		}
		if !slices.Contains(res.Command, "--until") {
			t.Errorf("the command to repeat it is %q", res.Command)
		}
		var again bytes.Buffer
		a := &app{stdout: &again, stderr: io.Discard, getenv: func(string) string { return "" }}
		if status := a.run(t.Context(), []string{"report", "portlab-results/latest", "--format", "json"}); status != statusMeasured {
			t.Errorf("the report cannot be made again: exit status %d", status)
		}
		if diff := cmp.Diff(text, again.String()); diff != "" {
			t.Error(diff)
		}
	}
}

func TestRunUntilSettledIsBounded(t *testing.T) {
	text, _ := ran(t, statusMeasured, "client-side", "--vantage", "host", "--until", "settled", "--requests", "50",
		"--format", "json", "-q", "--out", "none")
	var res lab.Result
	if err := json.Unmarshal([]byte(text), &res); err != nil {
		t.Fatal(err)
	}
	v := res.Verdicts[0]
	if res.Requests != 50 || v.Outcome != lab.Inconclusive || v.NeedN <= 50 {
		t.Errorf("%d requests, %s, %d needed: %s", res.Requests, v.Outcome, v.NeedN, v.Sentence)
	}
}

func TestRunUntilWhatCannotBe(t *testing.T) {
	for want, args := range map[string][]string{
		"turns are certain":   {"nginx", "--until", "settled"},
		"wants settled":       {"client-side", "--until", "later"},
		"where they are kept": {"client-side", "--until", "settled", "--keep-alive"},
		"number of requests":  {"client-side", "--until", "settled", "--requests", "-1"},
	} {
		if _, said := ran(t, statusUsage, append(args, "--vantage", "host", "--out", "none")...); !strings.Contains(said, want) {
			t.Errorf("%q says %q", args, said)
		}
	}
}
