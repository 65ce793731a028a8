package lab_test

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portlab/portlab/lab"
)

// strategy is one of two steps, a and b.
type strategy struct {
	*scene
	needs lab.Needs
	steps []lab.Step
}

func (s *strategy) Name() string     { return "fake" }
func (s *strategy) About() lab.About { return about }
func (s *strategy) Needs() lab.Needs { return s.needs }

func (s *strategy) Steps(lab.Facts, lab.Front, []lab.Replica) ([]lab.Step, error) {
	return s.steps, s.fail["steps"]
}

var about = lab.About{
	Summary: "a fake", Path: []string{"from here to there"},
	Caveats: []string{"it is none"}, Sources: []string{"nowhere"},
}

// runtime opens its one fleet, in two seconds.
type runtime struct {
	*scene
	fleet lab.Fleet
	spec  lab.FleetSpec // that it was asked for
}

func (r *runtime) Name() string { return "fakes" }

func (r *runtime) Supports(lab.FleetSpec) error { return r.fail["supports"] }

func (r *runtime) Host(context.Context) (lab.Host, error) { return nil, r.act("host") }

func (r *runtime) Draft(_ context.Context, spec lab.FleetSpec) (lab.Blueprint, error) {
	r.spec = spec
	return blueprint, r.fail["draft"] // it makes nothing, so it is no deed
}

func (r *runtime) Open(_ context.Context, spec lab.FleetSpec) (lab.Fleet, error) {
	time.Sleep(2 * time.Second)
	r.spec = spec
	spec.Notice("opened")
	if err := r.act("open"); err != nil {
		return nil, err
	}
	return r.fleet, nil
}

var blueprint = lab.Blueprint{
	Facts: lab.Facts{Run: "k3f5a2", Family: lab.IPv4},
	Front: lab.Front{
		Address: netip.MustParseAddr("198.19.0.1"), Loopback: netip.MustParseAddr("127.0.0.1"), Port: 8080,
	},
	Replicas: []lab.Replica{
		{Instance: "foo", Address: netip.MustParseAddrPort("198.18.0.2:80"), Weight: 1},
		{Instance: "bar", Address: netip.MustParseAddrPort("198.18.0.3:80"), Weight: 1},
	},
	Shell: []string{"make"}, Undo: []string{"unmake"},
}

// fleet is closed in three seconds, and has logs.
type fleet struct{ *scene }

func (f fleet) Host() lab.Host           { return nil }
func (f fleet) Blueprint() lab.Blueprint { return blueprint }

func (f fleet) Place(context.Context, lab.Vantage) (lab.Place, error) {
	return nil, f.fail["place"]
}

func (f fleet) Environment(context.Context) lab.Environment { return lab.Environment{Kernel: "6.1"} }

func (f fleet) Logs(context.Context) map[string]string {
	return map[string]string{"foo": "foo is unwell\n", "bar": "\n"}
}

func (f fleet) Close(context.Context) error {
	time.Sleep(3 * time.Second)
	return f.act("close")
}

// counting is a fleet whose n-th count from outside is the n-th of counts.
type counting struct {
	fleet
	counts []map[string]uint64
}

func (c *counting) Accepted(context.Context) (map[string]uint64, error) {
	now := c.counts[0]
	c.counts = c.counts[1:]
	return now, c.act("count")
}

// driver answers each request as reply says, and emits the last one first. A
// load takes five seconds.
type driver struct {
	*scene
	reply   func(p lab.Plan, i int) lab.Sample
	targets []netip.AddrPort // that the load was offered to
	probes  []lab.Sample     // that came before it
}

func (d *driver) Drive(ctx context.Context, _ lab.Place, p lab.Plan, targets []netip.AddrPort, emit func(lab.Sample)) (lab.Client, error) {
	if p.Requests == 1 {
		s := d.reply(p, len(d.probes))
		s.Target = targets[0]
		d.probes = append(d.probes, s)
		emit(s)
		return lab.Client{}, d.fail["probe"]
	}
	time.Sleep(5 * time.Second)
	d.targets = targets
	for i := p.Requests - 1; i >= 0; i-- {
		s := d.reply(p, i)
		s.Request, s.Connection = i, i
		emit(s)
	}
	if err := d.act("load"); err != nil {
		return lab.Client{}, err
	}
	return lab.Client{}, ctx.Err()
}

// inTurn is a reply of foo and bar in turn.
func inTurn(_ lab.Plan, i int) lab.Sample {
	const ms = time.Millisecond
	return lab.Sample{Connected: ms, FirstByte: ms, Done: ms, Instance: lab.InstanceName(i % 2)}
}

// claim holds, and keeps what it was held against.
type claim struct {
	name    string
	outcome lab.Outcome
	against *lab.Evidence
}

func (c claim) Name() string { return c.name }

func (c claim) Judge(e lab.Evidence) lab.Verdict {
	if c.against != nil {
		*c.against = e
	}
	return lab.Verdict{Outcome: c.outcome}
}

// rig is a trial of fakes that share one scene.
type rig struct {
	*scene
	*lab.Trial
	strategy *strategy
	runtime  *runtime
	driver   *driver
	events   []lab.Event
	cancel   func() // ends the run's context
}

func newRig() *rig {
	s := newScene()
	r := &rig{
		scene:    s,
		strategy: &strategy{scene: s, steps: list(s, "a", "b"), needs: lab.Needs{Null: lab.RoundRobin}},
		runtime:  &runtime{scene: s, fleet: fleet{s}},
		driver:   &driver{scene: s, reply: inTurn},
	}
	r.Trial = &lab.Trial{
		Strategy: r.strategy, Runtime: r.runtime, Driver: r.driver, Journal: journal{s},
		Vantage: lab.External, Fleet: lab.FleetSpec{Run: "k3f5a2", Replicas: 2},
		Plan:    plan(8, 2),
		Claims:  []lab.Claim{claim{name: "first", outcome: lab.Held}, claim{name: "second", outcome: lab.Refuted}},
		Asked:   1,
		Command: []string{"portlab", "run", "fake"},
		Watch:   func(e lab.Event) { r.events = append(r.events, e) },
	}
	return r
}

func plan(requests, concurrency int) lab.Plan {
	p := lab.DefaultPlan()
	p.Requests, p.Concurrency, p.Timeout, p.Path = requests, concurrency, time.Second, "/x"
	return p
}

// run runs the trial on a clock of its own, which costs no time.
func (r *rig) run(t *testing.T) (res *lab.Result, samples []lab.Sample, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		r.cancel = cancel
		var recorded lab.Samples
		res, recorded, err = lab.Run(ctx, r.Trial)
		if recorded != nil {
			samples = slices.Collect(recorded.All())
		}
	})
	return res, samples, err
}

// whole is what a run does that goes well.
var whole = []string{"host", "open", "apply a", "apply b", "load", "revert b", "revert a", "close"}
