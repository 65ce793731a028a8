package compare

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/portlab/portlab/lab"
)

// run carries out one run of an arm. Its own failure is in the [Run]; an error
// is what ends the comparison. Without a folder nothing of it is kept.
func (e *engine) run(ctx context.Context, arm int, t *lab.Trial, folder string) (Run, error) {
	if err := ctx.Err(); err != nil {
		return Run{}, context.Cause(ctx)
	}
	r := Run{Arm: e.c.Arms[arm].Name, ID: t.Fleet.Run}
	if err := e.listen(ctx, &r); err != nil {
		return Run{}, err
	}
	begun := time.Now()
	res, samples, err := e.cfg.Run(ctx, t)
	r.Started, r.Took = begun.UTC().Truncate(time.Millisecond), time.Since(begun)
	e.done++
	if _, unclean := errors.AsType[*lab.UncleanError](err); unclean {
		return Run{}, err
	}
	if ctx.Err() != nil {
		return Run{}, context.Cause(ctx)
	}
	r.fill(res, err)
	e.note(arm, r, res, err)
	if folder == "" || r.Failed != "" || e.cfg.Keep == nil {
		return r, nil
	}
	if err := e.cfg.Keep(folder, res, samples); err != nil {
		return Run{}, fmt.Errorf("keep the report of a run: %w", err)
	}
	r.Folder = folder
	return r, nil
}

// listen finds out what the machine does while nothing of the comparison runs.
func (e *engine) listen(ctx context.Context, r *Run) error {
	if e.cfg.Idle == nil {
		return nil
	}
	busy, load, err := e.cfg.Idle(ctx)
	if err != nil {
		return fmt.Errorf("find out whether the machine is quiet: %w", err)
	}
	r.Disturbance.OtherShare, r.Disturbance.LoadAverage = busy, load
	return nil
}

// fill says in a run what it came to.
func (r *Run) fill(res *lab.Result, err error) {
	r.Values, r.Faults = map[string]float64{}, map[lab.Fault]int{}
	r.Connections, r.Verdicts, r.Warnings = []int{}, []lab.Verdict{}, []string{}
	switch {
	case err != nil:
		r.Failed = oneLine(err.Error())
		return
	case res.Requests == 0:
		r.Failed = "no request was made"
		if why := refusal(res); why != "" {
			r.Failed = why
		}
		return
	}
	r.Values, r.Requests = Values(res), res.Requests
	maps.Copy(r.Faults, res.Faults)
	for _, in := range res.Instances {
		r.Connections = append(r.Connections, in.Connections)
	}
	r.Verdicts = append(r.Verdicts, res.Verdicts...)
	r.Warnings = append(r.Warnings, res.Warnings...)
	if res.Cost != nil && res.Cost.Machine > 0 && res.Elapsed > 0 && res.Environment.CPUs > 0 {
		r.Disturbance.StolenShare = res.Cost.Stolen.Seconds() / (res.Elapsed.Seconds() * float64(res.Environment.CPUs))
	}
}

// refusal is what the host said where it refused the strategy; else empty.
func refusal(res *lab.Result) string {
	for _, v := range res.Verdicts {
		if v.Outcome == lab.RefusedByHost {
			return v.Sentence
		}
	}
	return ""
}

// note gives an arm up that cannot run, and remembers what its runs say of
// the machine.
func (e *engine) note(arm int, r Run, res *lab.Result, err error) {
	a := &e.c.Arms[arm]
	if r.Failed == "" {
		e.failing[arm] = 0
		if e.c.Environment.Kernel == "" {
			e.c.Environment = listed(res.Environment)
		}
		return
	}
	e.failing[arm]++
	switch {
	case errors.Is(err, lab.ErrUnsupported):
		a.Absent = r.Failed
	case err == nil:
		a.Absent = r.Failed // the host's refusal is its answer
	case e.failing[arm] == FailuresInARow:
		e.broke = true
		a.Absent = fmt.Sprintf("it failed %d times in a row: %s", FailuresInARow, r.Failed)
	}
	sentence := fmt.Sprintf("%s failed: %s", a.Name, r.Failed)
	if a.Absent != "" {
		sentence = fmt.Sprintf("%s does not take part: %s", a.Name, a.Absent)
	}
	e.tell(Progress{Round: len(e.c.Rounds), Arm: a.Name, Note: sentence})
}

// listed is an environment without null lists.
func listed(v lab.Environment) lab.Environment {
	if v.Sysctls == nil {
		v.Sysctls = map[string]string{}
	}
	if v.Versions == nil {
		v.Versions = map[string]string{}
	}
	if v.Notes == nil {
		v.Notes = []string{}
	}
	return v
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

var unsafeInFolder = regexp.MustCompile(`[^a-zA-Z0-9._-]+`)

// folderOf is where the report of a run goes, below the comparison's: a name
// that every file system and archive takes.
func folderOf(round int, arm string) string {
	return filepath.Join("runs", fmt.Sprintf("%03d-%s", round, unsafeInFolder.ReplaceAllString(arm, "-")))
}
