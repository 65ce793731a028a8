package report

import (
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/claim"
	"github.com/portlab/portlab/lab/samples"
)

const (
	million = 1_000_000
	// mostHeap is what a million samples may take, in bytes: a tenth of what they
	// are in memory, at more than 300 bytes each.
	mostHeap = 32 << 20
)

// manySample is one of a million: new connections of 50 clients, in an order
// in which 64 are under way.
func manySample(i int, random *rand.Rand) lab.Sample {
	n := i ^ 37 // within 64 of each other
	due := time.Duration(n) * 20 * time.Microsecond
	took := time.Duration(150_000 + random.IntN(100_000))
	local := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 19, 1, byte(n % 50)}), uint16(32768+n/50%28232))
	s := lab.Sample{
		Request: n, Connection: n, Due: due, Begun: due + 300, Connected: due + took/4, FirstByte: due + took - 900, Done: due + took,
		Local: local, ReplicaSaw: local, Target: netip.MustParseAddrPort("198.19.0.1:8080"),
		Instance: lab.InstanceName(random.IntN(10)), Status: 200, ClosedFirst: lab.ServerEnd,
		ReplicaConnection: uint64(n/10 + 1), ReplicaRequest: 1, Service: took / 8,
	}
	if n%100_000 == 99_999 {
		s.Instance, s.Status, s.Service, s.ReplicaSaw = "", 0, 0, netip.AddrPort{}
		s.Fault, s.Detail = lab.Reset, "read: connection reset by peer"
	}
	return s
}

// watchHeap samples the heap in use until it is told to stop; then it says how
// much it was at most, in bytes.
func watchHeap() (most func() uint64) {
	stop, done := make(chan struct{}), make(chan uint64)
	go func() {
		var peak uint64
		var m runtime.MemStats
		for {
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapInuse)
			select {
			case <-stop:
				done <- peak
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return func() uint64 {
		close(stop)
		return <-done
	}
}

// From the driver's samples to the report on disk, memory does not grow with
// their number, and none is lost.
func TestMillionSamples(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	runtime.GC()
	most := watchHeap()
	recorder, err := samples.NewRecorder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer recorder.Close()
	begun := time.Now()
	random := rand.New(rand.NewPCG(1, 2))
	for i := range million {
		if err := recorder.Record(manySample(i, random)); err != nil {
			t.Fatal(err)
		}
	}
	all, err := recorder.Samples()
	if err != nil {
		t.Fatal(err)
	}
	recorded := time.Since(begun)
	r := baseResult()
	for i := range 10 {
		r.Fleet = append(r.Fleet, lab.Replica{Instance: lab.InstanceName(i), Weight: 1})
	}
	r.Replicas, r.Null, r.Plan.Requests = len(r.Fleet), lab.Hash, million
	trial := &lab.Trial{Plan: r.Plan, Claims: claim.Defaults()}
	r.Verdicts = trial.Judge(r, r.Fold(all, nil), all)
	dir := filepath.Join(t.TempDir(), "out")
	if err := Write(dir, r, all); err != nil {
		t.Fatal(err)
	}
	peak := most()
	if peak > mostHeap {
		t.Errorf("%d MiB of heap were in use, want at most %d", peak>>20, mostHeap>>20)
	}
	again, raw, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if raw.Len() != million || again.Requests != million || again.Connections != million-10 || again.Faults[lab.Reset] != 10 {
		t.Errorf("%d samples, %d requests, %d connections, faults %v of a million with 10 faults",
			raw.Len(), again.Requests, again.Connections, again.Faults)
	}
	info, err := os.Stat(filepath.Join(dir, samplesFile))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("recorded in %s, all in %s; at most %d MiB of heap in use; %s has %.1f MiB, %.1f bytes a sample",
		recorded.Round(time.Millisecond), time.Since(begun).Round(time.Millisecond), peak>>20,
		samplesFile, float64(info.Size())/(1<<20), float64(info.Size())/million)
}
