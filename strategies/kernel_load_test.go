package strategies

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
	"github.com/portlab/portlab/lab/labtest"
)

// clients are how many make connections at a time, so at most as many are under
// way at any moment.
const clients = 4

// A replica that is added costs no connection where each is remembered. One
// that leaves costs at most those that are under way.
func TestUpdateUnderLoadOnTheKernel(t *testing.T) {
	for _, s := range append(nftVariants(), dnat{}, ecmp{hashFields}) {
		t.Run(lab.FullName(s), func(t *testing.T) { updateUnderLoad(t, newWorld(t, bare("aaaaaa").of(s), 4), s) })
	}
}

func updateUnderLoad(t *testing.T, w *world, s lab.Strategy) {
	h := kernel.NewHost(w.host, nil)
	expose := func() *lab.Exposure {
		x, err := lab.Expose(t.Context(), h, &labtest.Journal{}, w.steps(t, s, w.replicas[:3]))
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	if err := expose().Revert(t.Context()); err != nil { // the first use makes the built-in chains
		t.Fatal(err)
	}
	before := w.state(t)
	x := expose()
	mayLose := 0
	if s.Needs().SharedAddress {
		mayLose = clients // nothing remembers where a connection went
	}
	for _, change := range []struct {
		name   string
		to     []lab.Replica
		atMost int
	}{{"one is added", w.replicas, mayLose}, {"one is removed", w.replicas[1:], clients}} {
		failed := w.during(t, func() {
			if err := x.Update(t.Context(), w.steps(t, s, change.to)); err != nil {
				t.Error(err)
			}
		})
		if failed > change.atMost {
			t.Errorf("%s: %d connections failed, want at most %d", change.name, failed, change.atMost)
		}
	}
	if err := x.Revert(t.Context()); err != nil {
		t.Error(err)
	}
	if d := cmp.Diff(before, w.state(t)); d != "" {
		t.Errorf("left behind (-before +after):\n%s", d)
	}
}

// during makes connections from outside while something is changed, some
// before and some after, and says how many failed.
func (w *world) during(t *testing.T, change func()) (failed int) {
	t.Helper()
	const each = 100 // connections before the change, and after
	var made, lost atomic.Int64
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range clients {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, _, err := w.dial(t.Context(), w.client, w.front.At(lab.External)); err != nil {
					lost.Add(1)
				}
				made.Add(1)
			}
		})
	}
	await := func(n int64) {
		for made.Load() < n && t.Context().Err() == nil {
			time.Sleep(time.Millisecond)
		}
	}
	await(each)
	change()
	await(made.Load() + each)
	close(stop)
	wg.Wait()
	return int(lost.Load())
}
