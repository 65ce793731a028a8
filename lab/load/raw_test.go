package load

import (
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
)

var (
	_ lab.Driver      = Raw{}
	_ lab.SourcePlace = Local{}
)

// driveRaw carries a plan out as drive does, and returns what the client says
// of itself as well. The number of samples may be any, but they are numbered
// from 0 without a gap.
func driveRaw(t testing.TB, r Raw, at lab.Place, p lab.Plan, to ...netip.AddrPort) ([]lab.Sample, lab.Client) {
	t.Helper()
	found := map[int]lab.Sample{}
	var inside atomic.Int32
	client, err := r.Drive(t.Context(), at, p, to, func(s lab.Sample) {
		if inside.Add(1) != 1 {
			t.Error("calls of emit overlap")
		}
		defer inside.Add(-1)
		if _, twice := found[s.Request]; twice {
			t.Errorf("request %d has two samples", s.Request)
		}
		found[s.Request] = s
	})
	if err != nil {
		t.Fatal(err)
	}
	samples := make([]lab.Sample, len(found))
	for n := range samples {
		s, ok := found[n]
		if !ok {
			t.Fatalf("request %d has no sample, and there are %d", n, len(found))
		}
		samples[n] = s
	}
	if p.Requests > 0 && p.Duration == 0 && len(samples) != p.Requests {
		t.Fatalf("%d samples of %d requests", len(samples), p.Requests)
	}
	return samples, client
}

// raw carries a plan out by one loop in the process's own namespace.
func raw(t testing.TB, p lab.Plan, to ...netip.AddrPort) []lab.Sample {
	t.Helper()
	samples, _ := driveRaw(t, Raw{Threads: 1}, Local{}, p, to...)
	return samples
}

func TestRawMakesEveryRequestOnItsOwnConnection(t *testing.T) {
	for _, threads := range []int{1, 3} {
		labtest.NoLeakedGoroutines(t)
		to := goServer(t, "foo")
		samples, client := driveRaw(t, Raw{Threads: threads}, Local{}, plan(300, 8), to)
		allFaults(t, samples, "")
		connections, numbers := map[uint64]bool{}, map[int]bool{}
		for i, s := range samples {
			if s.Target != to || s.Instance != "foo" || s.Status != 200 {
				t.Fatalf("sample %+v", s)
			}
			if s.ReplicaSaw != s.Local || !s.Local.IsValid() {
				t.Errorf("the client is %s, and the replica saw %s", s.Local, s.ReplicaSaw)
			}
			if s.Due != s.Begun || s.Due > s.Connected || s.Connected > s.FirstByte || s.FirstByte > s.Done {
				t.Errorf("phases out of order: %+v", s)
			}
			if s.ClosedFirst != lab.ServerEnd {
				t.Errorf("closed first by %q", s.ClosedFirst)
			}
			if i > 0 && s.Due < samples[i-1].Due {
				t.Errorf("request %d was due before request %d", i, i-1)
			}
			if threads == 1 && s.Connection != s.Request {
				t.Errorf("connection %d of request %d", s.Connection, s.Request)
			}
			connections[s.ReplicaConnection], numbers[s.Connection] = true, true
		}
		if len(connections) != 300 || len(numbers) != 300 {
			t.Errorf("the server counted %d connections, and the client %d, not 300", len(connections), len(numbers))
		}
		if client.ClosedFirst != 0 || client.Ports == 0 || client.Driver != rawName {
			t.Errorf("client %+v", client)
		}
	}
}
