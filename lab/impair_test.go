package lab_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
)

// impairing is a fleet whose path can be impaired: deeds of the scene.
type impairing struct{ fleet }

func (f impairing) Impair(_ context.Context, to lab.Impairment) error {
	return f.act("impair " + to.String())
}

// impairingHost is a host whose kernel can, unless it is told to fail.
type impairingHost struct {
	lab.Host
	*scene
}

func (h impairingHost) CheckImpair(context.Context) error { return h.act("check impair") }

// impairingRuntime has them.
type impairingRuntime struct{ *runtime }

func (r impairingRuntime) Host(context.Context) (lab.Host, error) {
	return impairingHost{scene: r.scene}, r.act("host")
}

func impairable() *rig {
	r := newRig() // whose load takes five seconds
	r.runtime.fleet = impairing{fleet{r.scene}}
	r.Runtime = impairingRuntime{r.runtime}
	r.Plan.Requests, r.Plan.Duration = 8, 5*time.Second
	r.Plan.Rate, r.Plan.Concurrency = 1.6, 8
	r.Claims, r.Asked = nil, 0
	return r
}

func parsed(t *testing.T, texts ...string) []lab.TimedImpairment {
	t.Helper()
	var all []lab.TimedImpairment
	for _, text := range texts {
		i, err := lab.ParseTimedImpairment(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, i)
	}
	return all
}

// A path is impaired once the front has answered, in the order of times with
// all other changes.
func TestThePathIsImpairedBeforeAndDuringTheLoad(t *testing.T) {
	r := impairable()
	r.Impairments = parsed(t, "delay=20ms", "delay=20ms,loss=10%@2s", "none@4s")
	r.Changes = []lab.Change{r.deed("foo is killed", time.Second), r.deed("bar is killed", 3*time.Second)}
	res, _, err := r.run(t)
	if err != nil {
		t.Fatal(err)
	}
	r.did(t, "host", "check impair", "open", "apply a", "apply b", "impair delay=20ms", "foo is killed", "impair delay=20ms,loss=10%",
		"bar is killed", "impair none", "load", "revert b", "revert a", "close")
	want := []string{
		"Before the load, the path between client and host is impaired, each way: delay=20ms.",
		"1s into the load, foo is killed; that took 0s.",
		"2s into the load, the path between client and host is impaired, each way: delay=20ms,loss=10%; that took 0s.",
		"3s into the load, bar is killed; that took 0s.",
		"4s into the load, the path between client and host is impaired no more; that took 0s.",
	}
	if !slices.Equal(res.Environment.Notes, want) {
		t.Errorf("notes\n%s\nwant\n%s", strings.Join(res.Environment.Notes, "\n"), strings.Join(want, "\n"))
	}
	if !slices.Equal(res.Impairments, r.Impairments) {
		t.Errorf("the result has the impairments %v, want %v", res.Impairments, r.Impairments)
	}
}

// What can be known beforehand is refused before anything is made.
func TestImpairmentsThatCannotBeAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*rig)
		want   string
	}{
		"from the host":        {func(r *rig) { r.Vantage = lab.OnHost }, "--vantage external"},
		"from a replica":       {func(r *rig) { r.Vantage = lab.Peer }, "--vantage external"},
		"an elsewhere client":  {func(r *rig) { r.Fleet.Client = blueprint.Front.Address }, "another machine"},
		"twice at a time":      {func(r *rig) { r.Impairments = parsed(t, "loss=1%", "loss=2%") }, "loss=2% cannot come after loss=1%"},
		"out of order":         {func(r *rig) { r.Impairments = parsed(t, "loss=1%@2s", "loss=2%@1s") }, "cannot come after"},
		"before the beginning": {func(r *rig) { r.Impairments[0].At = -1 }, "cannot come after"},
		"no impairment":        {func(r *rig) { r.Impairments[0].Impairment.LossPercent = 101 }, "the loss of an impairment"},
		"too late":             {func(r *rig) { r.Impairments = parsed(t, "loss=1%@5s") }, "may end after 5s"},
		"after all requests":   {func(r *rig) { r.Impairments, r.Plan.Requests = parsed(t, "loss=1%@4s"), 4 }, "may end after 2.5s"},
		"as fast as answered":  {func(r *rig) { r.Impairments, r.Plan.Rate = parsed(t, "loss=1%@1s"), 0 }, "not known how long"},
		"until it is settled":  {func(r *rig) { r.Impairments, r.Plan.UntilSettled = parsed(t, "loss=1%@1s"), true }, "--until"},
	} {
		r := impairable()
		r.Impairments = parsed(t, "loss=1%")
		c.change(r)
		_, _, err := r.run(t)
		var usage *lab.UsageError
		if !errors.As(err, &usage) || !strings.Contains(usage.Problem, c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
		r.did(t)
	}
}

func TestAWarmUpIsPartOfTheLoadThatAnImpairmentMayComeIn(t *testing.T) {
	r := impairable()
	r.Impairments = parsed(t, "loss=1%@5s")
	r.Plan.WarmUp = time.Second
	if err := r.CheckCourse(); err != nil {
		t.Error(err)
	}
}

func TestAKernelThatCannotImpairIsToldBeforeAnythingIsMade(t *testing.T) {
	r := impairable()
	r.Impairments = parsed(t, "loss=1%")
	r.fail["check impair"] = &lab.UnsupportedError{Reason: "no NETEM"}
	if _, _, err := r.run(t); !errors.Is(err, lab.ErrUnsupported) {
		t.Errorf("error %v", err)
	}
	r.did(t, "host", "check impair")

	r = impairable() // whose runtime's host cannot tell
	r.Impairments, r.Runtime = parsed(t, "loss=1%"), r.runtime
	if _, _, err := r.run(t); !errors.Is(err, lab.ErrUnsupported) {
		t.Errorf("error %v", err)
	}
	r.did(t, "host")
}

func TestAFleetThatCannotImpairIsUnsupported(t *testing.T) {
	r := impairable()
	r.runtime.fleet = fleet{r.scene}
	r.Impairments = parsed(t, "loss=1%")
	if _, _, err := r.run(t); !errors.Is(err, lab.ErrUnsupported) {
		t.Errorf("error %v", err)
	}
	r.did(t, "host", "check impair", "open", "apply a", "apply b", "revert b", "revert a", "close")
}

func TestAnImpairmentThatFailsFailsTheRun(t *testing.T) {
	r := impairable()
	r.Impairments = parsed(t, "loss=1%")
	r.fail["impair loss=1%"] = errSaid
	if _, _, err := r.run(t); !errors.Is(err, errSaid) {
		t.Errorf("error %v", err)
	}
	r.did(t, "host", "check impair", "open", "apply a", "apply b", "impair loss=1%", "revert b", "revert a", "close")
}
