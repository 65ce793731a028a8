package lab_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"

	"github.com/portlab/portlab/lab"
)

// endless is a driver that makes requests until it is cut off. Of those under
// way then, there are two, one is still answered.
type endless struct{ fails error }

func (d endless) Drive(ctx context.Context, _ lab.Place, p lab.Plan, _ []netip.AddrPort, emit func(lab.Sample)) (lab.Client, error) {
	i := 0
	for ; i < p.Requests && ctx.Err() == nil; i++ {
		s := inTurn(p, i)
		s.Request, s.Connection = i, i
		emit(s)
	}
	if d.fails != nil {
		return lab.Client{Driver: "endless"}, d.fails
	}
	if ctx.Err() != nil {
		s := inTurn(p, i+1)
		s.Request, s.Connection = i+1, i+1
		emit(s)
	}
	return lab.Client{Driver: "endless", Late: i}, ctx.Err()
}

// afterTen has seen enough after ten samples, and must not be asked again.
func afterTen(t *testing.T) lab.Monitor {
	return func(replicas []lab.Replica) func(lab.Sample) bool {
		if len(replicas) != 2 {
			t.Errorf("the monitor is told of %d replicas", len(replicas))
		}
		seen := 0
		return func(lab.Sample) bool {
			if seen++; seen > 10 {
				t.Error("a monitor that had enough was asked again")
			}
			return seen == 10
		}
	}
}

func TestAMonitorEndsTheLoadInOrder(t *testing.T) {
	r := newRig()
	r.Driver, r.Prober, r.Plan, r.Monitor = endless{}, r.driver, plan(1000, 2), afterTen(t)
	res, samples, err := r.run(t)
	if err != nil {
		t.Fatal(err)
	}
	if len(samples) != 11 || res.Requests != 11 || len(res.Faults) != 0 || res.Client.Late != 10 {
		t.Errorf("%d samples, %d requests with faults %v, client %+v", len(samples), res.Requests, res.Faults, res.Client)
	}
	if len(res.Verdicts) != 2 {
		t.Errorf("%d verdicts", len(res.Verdicts))
	}
}

func TestALoadThatIsNotEnoughLastsAsPlanned(t *testing.T) {
	r := newRig()
	r.Driver, r.Prober, r.Plan, r.Monitor = endless{}, r.driver, plan(9, 2), afterTen(t)
	res, _, err := r.run(t)
	if err != nil || res.Requests != 9 {
		t.Errorf("%d requests, %v", res.Requests, err)
	}
}

func TestAMonitorHidesNoError(t *testing.T) {
	broken := errors.New("the client died")
	r := newRig()
	r.Driver, r.Prober, r.Plan, r.Monitor = endless{fails: broken}, r.driver, plan(1000, 2), afterTen(t)
	if _, _, err := r.run(t); !errors.Is(err, broken) {
		t.Errorf("the error is %v", err)
	}
	r = newRig()
	r.Driver, r.Prober, r.Plan = endless{}, r.driver, plan(1000, 2)
	r.Monitor = func([]lab.Replica) func(lab.Sample) bool {
		return func(lab.Sample) bool { r.cancel(); return true } // interrupted at the same moment
	}
	if _, _, err := r.run(t); !errors.Is(err, context.Canceled) {
		t.Errorf("an interrupted load returns %v", err)
	}
}
