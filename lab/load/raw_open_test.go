package load

import (
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
)

// TestStallShowsInLatency has a server that answers nothing for half a second.
// Whatever was due meanwhile cannot have been answered before the stall was
// over, so its latency is at least the rest of the stall: theory gives a
// quantile for that, from the due times. It must be so whether the requests
// wait at the server or, with one worker, in the client; only there does the
// response time hide it (coordinated omission).
func TestStallShowsInLatency(t *testing.T) {
	const stall = 500 * time.Millisecond
	for _, concurrency := range []int{1, 1000} {
		gate := sync.OnceFunc(func() { time.Sleep(stall) }) // the others wait for the first
		to := httpServer(t, func(http.ResponseWriter, *http.Request) { gate() })
		p := openPlan(400, 400, lab.Constant)
		p.Concurrency, p.PerConnection, p.Timeout = concurrency, 0, 10*time.Second
		samples, client := driveRaw(t, Raw{Threads: 1}, Local{}, p, to)
		allFaults(t, samples, "")

		over := samples[0].Done // when the first answer of all came
		for _, s := range samples {
			over = min(over, s.Done)
		}
		if over < stall {
			t.Fatalf("the first answer came at %s", over)
		}
		var theory, latency lab.Distribution
		meanwhile, long := 0, 0
		for k, s := range samples {
			if want := time.Duration(k) * time.Second / 400; s.Due != want {
				t.Fatalf("request %d was due at %s, not %s", k, s.Due, want)
			}
			if s.Due < over {
				meanwhile++
			}
			if s.Response() >= stall/2 {
				long++
			}
			theory.Record(max(over-s.Due, 0))
			latency.Record(s.Latency())
		}
		want, got := theory.Quantiles(), latency.Quantiles()
		if got.P50 < want.P50 || got.P90 < want.P90 || got.P99 < want.P99 || got.Mean < want.Mean {
			t.Errorf("concurrency %d: latency %+v, and theory gives at least %+v", concurrency, got, want)
		}
		if concurrency > 1 && client.Queued != 0 {
			t.Errorf("%d queued, and there was room for all", client.Queued)
		}
		// The first is under way when the others become due.
		if concurrency == 1 && (client.Queued < meanwhile-1 || client.Backlog < meanwhile-1 || long >= meanwhile/3) {
			t.Errorf("%d queued, backlog %d, of %d; %d had a long response", client.Queued, client.Backlog, meanwhile, long)
		}
	}
}

// TestRequestsThatNeverBegin: one worker, a server that does not answer, and
// so many due at once that those behind the first give up before they could
// begin.
func TestRequestsThatNeverBegin(t *testing.T) {
	const requests = 2000
	p := openPlan(1_000_000, requests, lab.Constant)
	p.Timeout = 20 * time.Millisecond
	counts := map[lab.Fault]int{}
	for _, s := range raw(t, p, rawServer(t, saysAndHolds(""))) {
		counts[s.Fault]++
		if s.Latency() < p.Timeout {
			t.Errorf("gave up after %s", s.Latency())
		}
		if s.Fault == lab.ClientLimit && (s.Connected != 0 || s.Local.IsValid() || s.Begun-s.Due < p.Timeout) {
			t.Errorf("sample %+v", s)
		}
	}
	if counts[lab.ReadTimeout] == 0 || counts[lab.ClientLimit] == 0 || counts[lab.ReadTimeout]+counts[lab.ClientLimit] != requests {
		t.Errorf("faults %v", counts)
	}
}

// TestRawWarmUpGivesNoSamples, and its connections go on.
func TestRawWarmUpGivesNoSamples(t *testing.T) {
	for _, rate := range []float64{0, 500} {
		var served atomic.Int32
		to := httpServer(t, func(http.ResponseWriter, *http.Request) { served.Add(1) })
		p := plan(50, 2)
		p.PerConnection, p.WarmUp, p.Rate = 0, 100*time.Millisecond, rate
		samples := raw(t, p, to)
		allFaults(t, samples, "")
		if n := int(served.Load()); n <= len(samples) {
			t.Errorf("rate %v: the server has answered %d requests, and %d count", rate, n, len(samples))
		}
		first := samples[0]
		if first.Due < 0 || first.Connected <= 0 || first.Connected > first.FirstByte || first.Connection != 0 {
			t.Errorf("rate %v: the first sample is %+v", rate, first)
		}
	}
}

func TestDurationEndsTheRawLoad(t *testing.T) {
	to := goServer(t, "foo")
	for _, rate := range []float64{0, 300} {
		p := plan(lab.MaxRequests, 4)
		p.Duration, p.Rate = 100*time.Millisecond, rate
		samples := raw(t, p, to)
		allFaults(t, samples, "")
		last := samples[len(samples)-1]
		if last.Due >= p.Duration || rate > 0 && len(samples) != 30 {
			t.Errorf("rate %v: %d samples, the last due at %s", rate, len(samples), last.Due)
		}
	}
}

// TestRampNeverRunsAhead: at each time, no more requests are under way than the
// ramp has workers.
func TestRampNeverRunsAhead(t *testing.T) {
	p := plan(200, 8)
	p.Ramp = 200 * time.Millisecond
	samples := raw(t, p, rawServer(t, func(c *net.TCPConn) {
		if _, err := readRequest(c); err == nil {
			time.Sleep(5 * time.Millisecond)
			_, _ = io.WriteString(c, empty200)
		}
	}))
	allFaults(t, samples, "")
	most := 0
	for _, s := range samples {
		under := 0
		for _, other := range samples {
			if other.Begun <= s.Begun && s.Begun < other.Done {
				under++
			}
		}
		if workers := 1 + int(8*s.Begun/p.Ramp); under > min(workers, 8) {
			t.Errorf("%d under way at %s", under, s.Begun)
		}
		most = max(most, under)
	}
	if most < 2 {
		t.Error("there was never more than one under way, so nothing was shown")
	}
}

// TestOpenLoopBeginsNothingEarly, on several loops too.
func TestOpenLoopBeginsNothingEarly(t *testing.T) {
	p := openPlan(2000, 400, lab.Poisson)
	p.Concurrency, p.PerConnection, p.Timeout = 20, 0, 10*time.Second
	to := goServer(t, "foo")
	for _, threads := range []int{1, 2} {
		samples, client := driveRaw(t, Raw{Threads: threads}, Local{}, p, to)
		allFaults(t, samples, "")
		late := 0
		for i, s := range samples {
			if s.Begun < s.Due || s.Done < s.Begun || i > 0 && s.Due < samples[i-1].Due {
				t.Errorf("sample %+v", s)
			}
			if s.Begun-s.Due > lab.LateAfter {
				late++
			}
		}
		if client.Late > late || client.Late+client.Queued < late {
			t.Errorf("%d late and %d queued, and %d began late", client.Late, client.Queued, late)
		}
	}
	want := allOf(p, 0, 1)
	samples := raw(t, p, to)
	if !slices.EqualFunc(want, samples, func(a arrival, s lab.Sample) bool { return a.due == s.Due }) {
		t.Error("the due times are not those of the schedule")
	}
}
