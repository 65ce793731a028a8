package scenarios_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
)

// stall is a load on a server that once answers nothing for a while: what
// coordinated omission is about. Gil Tene, "How NOT to Measure Latency", 2013.
type stall struct {
	rate  float64       // requests per second of the open loop
	lasts time.Duration // of the load
	held  time.Duration // how long the server answers nothing
}

// theStall is long enough for its percentiles to be far from those of a server
// that never stalls, at a rate that any machine can keep up with.
var theStall = stall{rate: 200, lasts: 4 * time.Second, held: time.Second}

// requests is how many are due.
func (s stall) requests() int { return int(s.rate * s.lasts.Seconds()) }

// latency is what theory gives for a percentile, by nearest rank. The request
// that is due when the stall begins waits for all of it, and each of those
// after it for the time between two requests less, whatever the server was
// asked before. So the k-th longest latency is the stall but for k-1 such
// times; but for k of them, if the stall begins right after one was due.
func (s stall) latency(percent float64) (least, most time.Duration) {
	n := float64(s.requests())
	k := n - math.Ceil(percent/100*n) + 1
	between := time.Duration(float64(time.Second) / s.rate)
	wait := func(k float64) time.Duration { return max(s.held-time.Duration(k)*between, 0) }
	return wait(k), wait(k - 1)
}

// stalling is a server that stalls once.
type stalling struct {
	after, held time.Duration // from the first request on
	first       sync.Once
	begins      time.Time

	mu      sync.Mutex
	drained time.Duration // from the end of the stall to the last answer that waited for it
}

// The names by which the answers tell themselves apart.
const (
	stallHeader = "X-Stalled"
	wasHeld     = "held"
	wasPrompt   = "prompt"
)

func (s *stalling) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	now := time.Now()
	s.first.Do(func() { s.begins = now.Add(s.after) })
	ends := s.begins.Add(s.held)
	if now.Before(s.begins) || !now.Before(ends) {
		w.Header().Set(stallHeader, wasPrompt)
		fmt.Fprintln(w, "ok")
		return
	}
	time.Sleep(time.Until(ends))
	w.Header().Set(stallHeader, wasHeld)
	fmt.Fprintln(w, "ok")
	if err := http.NewResponseController(w).Flush(); err != nil {
		panic(err) // an http.Server's own writer can flush
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drained = max(s.drained, time.Since(ends))
}

// serve starts a server that stalls in the middle of the load.
func (s stall) serve(t testing.TB) (*stalling, string) {
	handler := &stalling{after: (s.lasts - s.held) / 2, held: s.held}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return handler, server.URL + "/"
}

// loaded runs portlab load and gives its result, and that of the answers of one kind.
func loaded(t *testing.T, args ...string) (r lab.Result, of func(kind string) lab.InstanceResult) {
	t.Helper()
	p := start(t, nil, append([]string{"load"}, append(args, "--instance-header", stallHeader, "--no-report", "--format", "json")...)...)
	if got := p.status(t); got != 0 {
		t.Fatalf("exit status %d\n%s", got, p.stderr.String())
	}
	if err := json.Unmarshal([]byte(p.stdout.String()), &r); err != nil {
		t.Fatal(err)
	}
	return r, func(kind string) lab.InstanceResult {
		i := slices.IndexFunc(r.Instances, func(in lab.InstanceResult) bool { return in.Name == kind })
		if i < 0 {
			t.Fatalf("no answer was %s: %+v", kind, r.Instances)
		}
		return r.Instances[i]
	}
}

// An open loop hides nothing of a server that stalls for a second: its
// percentiles are those of theory. What may come on top was measured in the
// same run: the time that the server took to write what had waited, and the
// longest that a request took which did not wait.
func TestStallInAnOpenLoop(t *testing.T) {
	server, url := theStall.serve(t)
	r, of := loaded(t, url, "--rate", fmt.Sprint(theStall.rate), "--duration", theStall.lasts.String(), "--timeout", "10s")
	if len(r.Faults) > 0 || r.Requests != theStall.requests() {
		t.Fatalf("%d requests, faults %v; want %d and none", r.Requests, r.Faults, theStall.requests())
	}
	server.mu.Lock()
	spare := server.drained + of(wasPrompt).Latency.Max + r.Lag.Max
	server.mu.Unlock()
	for percent, got := range map[float64]time.Duration{50: r.Latency.P50, 90: r.Latency.P90, 99: r.Latency.P99, 99.9: r.Latency.P999} {
		least, most := theStall.latency(percent)
		if got < least || got > most+spare {
			t.Errorf("p%v is %s: theory gives %s to %s, and at most %s more", percent, got, least, most, spare)
		}
	}
}

// A closed loop hides it, which is why it is not the way to measure latency:
// each of its workers meets the stall once, however many requests it makes.
func TestStallInAClosedLoop(t *testing.T) {
	_, url := theStall.serve(t)
	const workers = 8
	r, of := loaded(t, url, "--concurrency", fmt.Sprint(workers), "--keep-alive", "--duration", theStall.lasts.String(), "--timeout", "10s")
	if len(r.Faults) > 0 {
		t.Fatalf("faults: %v", r.Faults)
	}
	if got := of(wasHeld).Requests; got != workers {
		t.Errorf("%d of %d requests met the stall, want one of each worker", got, r.Requests)
	}
	if got := of(wasHeld).Latency.P50; got < theStall.held/2 {
		t.Errorf("half of those that met it waited only %s", got)
	}
}

// Theory, by a case that can be counted: ten requests a second for ten seconds,
// and a stall of one. Ten of a hundred wait, 1.0 s to 0.1 s.
func TestLatencyByTheory(t *testing.T) {
	s := stall{rate: 10, lasts: 10 * time.Second, held: time.Second}
	for percent, most := range map[float64]time.Duration{
		50: 0, 90: 0, 91: 100 * time.Millisecond, 95: 500 * time.Millisecond, 99: 900 * time.Millisecond, 100: time.Second,
	} {
		if least, got := s.latency(percent); got != most || least != max(most-100*time.Millisecond, 0) {
			t.Errorf("p%v: %s to %s, want at most %s", percent, least, got, most)
		}
	}
}
