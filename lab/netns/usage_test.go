package netns

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// What a fleet's replicas use grows with what they are asked, and does not
// shrink when one of them dies.
func TestFleetSaysWhatItsReplicasUse(t *testing.T) {
	f := openFleet(t, lab.FleetSpec{Replicas: 2, Placement: lab.OwnNetns})
	before := usage(t, f)
	if before.Replicas.MemoryBytes == 0 || before.Sidecars != (lab.Consumption{}) {
		t.Errorf("two replicas and no sidecar use %+v", before)
	}
	first := f.Blueprint().Replicas[0]
	client, err := f.Place(t.Context(), lab.External)
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if _, err := ask(t.Context(), client, first.Address); err != nil {
			t.Fatal(err)
		}
	}
	after := usage(t, f)
	if after.Replicas.CPU <= before.Replicas.CPU || after.Self <= before.Self {
		t.Errorf("50 requests took nothing: %+v, then %+v", before, after)
	}
	if err := f.Kill(t.Context(), first.Instance); err != nil {
		t.Fatal(err)
	}
	if dead := usage(t, f); dead.Replicas.CPU < after.Replicas.CPU || dead.Replicas.MemoryBytes >= after.Replicas.MemoryBytes {
		t.Errorf("a replica's death took %+v to %+v", after.Replicas, dead.Replicas)
	}
}

func usage(t *testing.T, f *fleet) lab.Usage {
	t.Helper()
	u, err := f.Usage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// A killed replica refuses connections at once, the other one serves, nobody is
// told, and the fleet can still take it away, grow and close.
func TestKilledReplicaIsLeftToItself(t *testing.T) {
	f := openFleet(t, lab.FleetSpec{Replicas: 2, Placement: lab.OwnNetns})
	replicas := f.Blueprint().Replicas
	for range 2 { // killing the dead changes nothing
		if err := f.Kill(t.Context(), replicas[0].Instance); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Kill(t.Context(), "nobody"); err == nil {
		t.Error("a replica that there is not was killed")
	}
	if got := len(f.Blueprint().Replicas); got != 2 {
		t.Errorf("the blueprint has %d replicas: it was told of the death", got)
	}
	if err := dial(t.Context(), f, replicas[0]); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("a connection to the killed replica: %v, want refused", err)
	}
	if err := dial(t.Context(), f, replicas[1]); err != nil {
		t.Errorf("a connection to the other replica: %v", err)
	}
	if err := f.Remove(t.Context(), replicas[0].Instance); err != nil {
		t.Error(err)
	}
	if _, err := f.Add(t.Context(), 1); err != nil {
		t.Error(err)
	}
}

func dial(ctx context.Context, f *fleet, r lab.Replica) error {
	return f.Host().Do(ctx, func() error {
		c, err := net.DialTimeout("tcp", r.Address.String(), 2*time.Second)
		if err != nil {
			return err
		}
		return c.Close()
	})
}
