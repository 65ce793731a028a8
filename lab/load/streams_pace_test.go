package load

import (
	"context"
	"net/http"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
)

func TestStreamsAreDueByTheSchedule(t *testing.T) {
	to := replica(t, "foo", loopback)
	for _, protocol := range longLived {
		p := streamsPlan(protocol, 40, 4, 1)
		p.Rate = 1000
		samples, _ := offer(t, Local{}, p, to)
		allFaults(t, samples, "")
		for i, s := range samples {
			if want := time.Duration(i) * time.Millisecond; s.Due != want {
				t.Errorf("%s: request %d was due at %s, want %s", protocol, i, s.Due, want)
			}
			if s.Begun < s.Due {
				t.Errorf("%s: request %d began at %s, before it was due", protocol, i, s.Begun)
			}
		}
		p.Arrivals = lab.Poisson
		first, _ := offer(t, Local{}, p, to)
		again, _ := offer(t, Local{}, p, to)
		p.Seed++
		other, _ := offer(t, Local{}, p, to)
		if !sameDue(first, again) || sameDue(first, other) || sameDue(first, samples) {
			t.Errorf("%s: the arrivals do not depend on the seed alone", protocol)
		}
	}
}

func sameDue(a, b []lab.Sample) bool {
	for i := range a {
		if a[i].Due != b[i].Due {
			return false
		}
	}
	return true
}

// TestStreamsThatWait has one worker for requests that are due five times as
// fast as they are answered.
func TestStreamsThatWait(t *testing.T) {
	for _, protocol := range longLived {
		p := streamsPlan(protocol, 10, 1, 1)
		p.Rate, p.Path = 100, "/?delay=50ms"
		samples, client := offer(t, Local{}, p, replica(t, "foo", loopback))
		allFaults(t, samples, "")
		// The k-th begins when k-1 are answered, and all others came meanwhile.
		for i, s := range samples {
			if s.Begun < time.Duration(i)*50*time.Millisecond || s.Latency() < time.Duration(i+1)*50*time.Millisecond-s.Due {
				t.Errorf("%s: request %d: due %s, begun %s, done %s", protocol, i, s.Due, s.Begun, s.Done)
			}
		}
		if client.Queued != 9 || client.Backlog < 5 || client.Backlog > 9 {
			t.Errorf("%s: %d queued, backlog %d; want 9 and about 8", protocol, client.Queued, client.Backlog)
		}
	}
}

func TestStreamsThatNeverBegin(t *testing.T) {
	p := streamsPlan(lab.HTTP2, 10, 1, 1)
	p.Rate, p.Timeout = 1_000_000, 50*time.Millisecond // all are due before the first has failed
	to := http2Server(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	counts := map[lab.Fault]int{}
	samples, _ := offer(t, Local{}, p, to)
	for _, s := range samples {
		counts[s.Fault]++
		if s.Latency() < p.Timeout {
			t.Errorf("request %d failed after %s", s.Request, s.Latency())
		}
	}
	if counts[lab.ReadTimeout] == 0 || counts[lab.ClientLimit] == 0 || counts[lab.ReadTimeout]+counts[lab.ClientLimit] != 10 {
		t.Errorf("faults %v, want read timeouts, and requests that never began", counts)
	}
}

func TestWarmUpGivesNoSamples(t *testing.T) {
	var asked atomic.Int64
	to := http2Server(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	for _, rate := range []float64{0, 1000} {
		asked.Store(0)
		p := streamsPlan(lab.HTTP2, 20, 2, 1)
		p.Rate, p.WarmUp = rate, 100*time.Millisecond
		samples, _ := offer(t, Local{}, p, to)
		allFaults(t, samples, "")
		if asked.Load() <= 20 {
			t.Errorf("rate %v: %d requests were made, and none to warm up", rate, asked.Load())
		}
		for _, s := range samples {
			if s.Due < 0 || s.Connected != 1 {
				t.Errorf("rate %v: due at %s, connected at %s", rate, s.Due, s.Connected)
			}
		}
	}
}

func TestDurationEndsStreams(t *testing.T) {
	to := replica(t, "foo", loopback)
	for _, protocol := range longLived {
		p := streamsPlan(protocol, 0, 2, 1)
		p.Duration, p.Ramp = 100*time.Millisecond, 50*time.Millisecond
		samples, _ := offer(t, Local{}, p, to)
		allFaults(t, samples, "")
		if len(samples) == 0 || samples[len(samples)-1].Due >= p.Duration {
			t.Errorf("%s: %d requests", protocol, len(samples))
		}
		connections := map[int]time.Duration{}
		for _, s := range samples {
			if _, known := connections[s.Connection]; !known {
				connections[s.Connection] = s.Due
			}
		}
		if len(connections) != 2 || connections[1] < p.Ramp/2 {
			t.Errorf("%s: connections were opened at %v, want the second after half of %s", protocol, connections, p.Ramp)
		}
	}
}

func TestStreamsDoNotBeginWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Streams{}.Drive(ctx, Local{}, streamsPlan(lab.HTTP2, 1, 1, 1), []netip.AddrPort{replica(t, "foo", loopback)},
		func(lab.Sample) { t.Error("a sample") })
	if err == nil {
		t.Error("no error")
	}
}
