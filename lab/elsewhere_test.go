package lab_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
)

// far is where a client on another machine stands, and what its driver says of
// that machine.
type far struct {
	*driver
	machine lab.Machine
	at      lab.Place // that it was driven at last
}

func (*far) Do(_ context.Context, f func() error) error { return f() }
func (*far) Shell() string                              { return "ssh far" }

func (f *far) Drive(ctx context.Context, at lab.Place, p lab.Plan, to []netip.AddrPort, emit func(lab.Sample)) (lab.Client, error) {
	c, err := f.driver.Drive(ctx, at, p, to, emit)
	f.at = at
	c.UserCPU, c.Machine = time.Second, &f.machine
	return c, err
}

// fromAfar is a rig whose client is on another machine.
func fromAfar(machine lab.Machine) (*rig, *far) {
	r := newRig()
	f := &far{driver: r.driver, machine: machine}
	r.Driver, r.Place, r.Fleet.Client = f, f, netip.MustParseAddr("198.18.7.2")
	return r, f
}

// calling is a strategy whose clients call these.
type calling struct {
	*strategy
	to []netip.AddrPort
}

func (c calling) Targets(lab.Front, lab.Vantage, []lab.Replica) []netip.AddrPort { return c.to }

// metered is a fleet whose machine was busy for 10 s between two readings.
type metered struct {
	fleet
	readings *int
}

func (m metered) Usage(context.Context) (lab.Usage, error) {
	*m.readings++
	return lab.Usage{Machine: time.Duration(*m.readings) * 10 * time.Second}, nil
}

func TestAClientOnAnotherMachineIsAskedThereAndNamed(t *testing.T) {
	for _, c := range []struct {
		machine lab.Machine
		rest    time.Duration // of this machine's busy time: its own client's is none of it
		note    string
	}{
		{lab.Machine{Kernel: "6.1.0", OS: "Debian", CPU: "a model", CPUs: 4}, 10 * time.Second, "on another machine: Linux 6.1.0, Debian, 4 CPUs (a model)."},
		{lab.Machine{SharesKernel: true}, 9 * time.Second, "this machine's kernel"},
	} {
		r, f := fromAfar(c.machine)
		r.runtime.fleet = metered{fleet{r.scene}, new(int)}
		r.scene.fail["place"] = errors.New("the fleet has no client of its own")
		res, _, err := r.run(t)
		if err != nil {
			t.Fatal(err)
		}
		if f.at != lab.Place(f) {
			t.Errorf("the load was driven at %v", f.at)
		}
		if r.runtime.spec.Client != r.Fleet.Client {
			t.Errorf("the runtime was told of the client %v", r.runtime.spec.Client)
		}
		if res.Cost.Client != time.Second || res.Cost.Rest != c.rest {
			t.Errorf("the load took %v of the client and %v of the rest, want 1s and %v", res.Cost.Client, res.Cost.Rest, c.rest)
		}
		if notes := strings.Join(res.Environment.Notes, "\n"); !strings.Contains(notes, c.note) {
			t.Errorf("the notes are %q, want one with %q", notes, c.note)
		}
	}
}

func TestAClientOnAnotherMachineCannotCallReplicasThemselves(t *testing.T) {
	for _, c := range []struct {
		targets []netip.AddrPort
		ok      bool
	}{
		{[]netip.AddrPort{blueprint.Front.At(lab.External)}, true},
		{[]netip.AddrPort{netip.AddrPortFrom(blueprint.Front.Address, 81)}, true},
		{[]netip.AddrPort{blueprint.Replicas[0].Address}, false},
		{[]netip.AddrPort{blueprint.Front.At(lab.External), blueprint.Replicas[1].Address}, false},
	} {
		r, _ := fromAfar(lab.Machine{})
		r.Strategy = calling{r.strategy, c.targets}
		_, _, err := r.run(t)
		if c.ok && err != nil || !c.ok && !errors.Is(err, lab.ErrUnsupported) {
			t.Errorf("%v: error %v", c.targets, err)
		}
		r.Fleet.Client, r.Place = netip.Addr{}, nil
		if _, _, err := r.run(t); err != nil {
			t.Errorf("%v, with a client of the fleet's own: error %v", c.targets, err)
		}
	}
}

func TestASilentFrontSpeaksOfFirewallsToAnotherMachineAlone(t *testing.T) {
	r, _ := fromAfar(lab.Machine{})
	r.driver.reply = func(lab.Plan, int) lab.Sample { return lab.Sample{Fault: lab.ConnectTimeout} }
	_, _, err := r.run(t)
	if !errors.Is(err, lab.ErrSilent) || !strings.Contains(err.Error(), "a firewall") || !strings.Contains(err.Error(), "198.18.7.2") {
		t.Errorf("error %v", err)
	}
	r.Fleet.Client = netip.Addr{}
	if _, _, err := r.run(t); !errors.Is(err, lab.ErrSilent) || strings.Contains(err.Error(), "a firewall") {
		t.Errorf("error %v", err)
	}
}
