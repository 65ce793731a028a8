package load

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/portlab/portlab/lab"
)

// Raw is a driver on plain system calls, so that the client is faster than what
// it measures. It speaks lab.HTTP1, lab.TCP and lab.UDP, over IPv4 and IPv6,
// and carries out every plan for them. It implements lab.Driver; its zero value
// is ready.
//
// A request of an open loop whose timeout passes while it still waits to begin,
// because as many as the plan's Concurrency are under way, never begins: its
// fault is lab.ClientLimit.
//
// A kept connection that the server closes between two requests is opened anew
// and is no fault. If the server closes it when the next request is already
// sent, that request is lost (lab.Reset): it is not made again, for the lab must
// not hide a loss. A connection that waits for the server to close holds no
// worker: the next request begins meanwhile.
//
// A connection that was opened in the warm-up counts as standing from 1 ns on.
type Raw struct {
	// Threads is how many event loops offer the load, each on a thread of its
	// own; 0: one on up to two processors, and half as many as processors on
	// more, at most 8. There are never more than the plan's Concurrency. The
	// workers, or the requests of an open loop, are dealt to them in turn, and
	// each keeps to its share of Concurrency.
	Threads int
}

const (
	rawName    = "raw"
	maxThreads = 64
)

// Drive carries out the plan. It returns a lab.UsageError for a plan or targets
// that make no sense or that this driver leaves to others, a
// lab.UnsupportedError for more client addresses than the place has, the error
// of entering the place, and ctx's error. When ctx ends, the requests under way
// are cut off and give no sample.
func (r Raw) Drive(ctx context.Context, at lab.Place, p lab.Plan, to []netip.AddrPort, emit func(lab.Sample)) (lab.Client, error) {
	j, err := r.newJob(at, p, to, emit)
	if err != nil {
		return lab.Client{}, err
	}
	err = j.run(ctx, at)
	return j.client, err
}

func (r Raw) newJob(at lab.Place, p lab.Plan, to []netip.AddrPort, emit func(lab.Sample)) (*job, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if err := r.can(p); err != nil {
		return nil, err
	}
	endpoints, err := newEndpoints(to, p)
	if err != nil {
		return nil, err
	}
	sources, err := sourcesOf(at, p.Clients, endpoints)
	if err != nil {
		return nil, err
	}
	return &job{
		plan: p, endpoints: endpoints, sources: sources, emit: emit,
		threads: min(r.threads(), p.Concurrency), client: lab.Client{Driver: rawName},
	}, nil
}

// can returns a lab.UsageError for what this driver leaves to others.
func (r Raw) can(p lab.Plan) error {
	switch {
	case r.Threads < 0 || r.Threads > maxThreads:
		return lab.Usagef("the threads of the client must be from 0 to %d, not %d", maxThreads, r.Threads)
	case p.Protocol != lab.HTTP1 && p.Protocol != lab.TCP && p.Protocol != lab.UDP:
		return lab.Usagef("the raw client speaks %s, %s and %s, not %s: leave --client out", lab.HTTP1, lab.TCP, lab.UDP, p.Protocol)
	}
	return dialsAddresses(rawName, p)
}

func (r Raw) threads() int {
	const most = 8
	if r.Threads > 0 {
		return r.Threads
	}
	return min(max(1, runtime.NumCPU()/2), most)
}

// job is one load: what its loops share.
type job struct {
	plan      lab.Plan
	endpoints []endpoint
	sources   []address // of the connections, in turn; none: as the kernel chooses
	threads   int

	zero  time.Time // the end of the warm-up
	tally tally
	// How many connections were opened by counted requests, and by others.
	connections, uncounted atomic.Int64

	mu     sync.Mutex // calls of emit do not overlap
	emit   func(lab.Sample)
	client lab.Client
}

// now is the time since the end of the warm-up, by the monotonic clock;
// negative before.
func (j *job) now() time.Duration { return time.Since(j.zero) }

// run runs the loops, each on a thread of the place, from a common start.
func (j *job) run(ctx context.Context, at lab.Place) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ready, start := make(chan struct{}), make(chan struct{})
	ended := make(chan error, j.threads)
	for part := range j.threads {
		go func() { ended <- j.loop(ctx, at, part, ready, start) }()
	}
	left := j.threads
	var errs []error
	for prepared := 0; prepared < j.threads && len(errs) == 0; {
		select {
		case <-ready:
			prepared++
		case err := <-ended:
			left--
			errs = append(errs, err)
			cancel(err)
		}
	}
	j.zero = time.Now().Add(j.plan.WarmUp)
	j.tally.clock = j.now
	close(start)
	for range left {
		if err := <-ended; err != nil {
			errs = append(errs, err)
			cancel(err)
		}
	}
	return first(errs)
}

// first is the error that ended the others too.
func first(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	return errs[0]
}

// loop runs one loop at the place.
func (j *job) loop(ctx context.Context, at lab.Place, part int, ready chan<- struct{}, start <-chan struct{}) error {
	entered := false
	err := at.Do(ctx, func() error {
		entered = true
		return j.inside(ctx, part, ready, start)
	})
	if err != nil && !entered && ctx.Err() == nil {
		return fmt.Errorf("enter the client's network namespace: %w", err)
	}
	return err
}

// inside runs on a thread of the place, to which it locks itself: sockets are
// of the namespace of the thread that makes them.
func (j *job) inside(ctx context.Context, part int, ready chan<- struct{}, start <-chan struct{}) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer fineTimers()()
	l, err := newLoop(j, part)
	if err != nil {
		return err
	}
	defer l.poll.close()
	select {
	case ready <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	<-start
	if ctx.Err() != nil {
		return ctx.Err() // another loop could not be prepared
	}
	stop := context.AfterFunc(ctx, l.stop)
	defer stop()
	err = l.run()
	j.count(l)
	if errors.Is(err, errCutOff) {
		return ctx.Err()
	}
	return err
}

// count adds what a loop says of itself. The backlogs of several loops need not
// have been at their highest at the same time: the sum is the most that it can
// have been.
func (j *job) count(l *rawLoop) {
	j.mu.Lock()
	defer j.mu.Unlock()
	c := &j.client
	c.ClosedFirst += l.closedFirst
	c.Ports = l.ports
	addPace(c, l.pace)
}

// nextConnection numbers a connection that is about to be opened. Those of the
// warm-up are numbered by themselves, from the middle of all numbers, so that
// the others do not depend on how many they are.
func (j *job) nextConnection(counted bool) uint64 {
	if counted {
		return uint64(j.connections.Add(1) - 1)
	}
	return uint64(j.uncounted.Add(1)-1) + 1<<62
}

// endpointOf chooses the target of a connection.
func (j *job) endpointOf(connection uint64) *endpoint {
	return pick(j.endpoints, j.plan.Seed, connection)
}

// sourceOf is the source address of a connection; nil: the kernel chooses.
func (j *job) sourceOf(connection uint64) *address {
	if len(j.sources) == 0 {
		return nil
	}
	return &j.sources[connection%uint64(len(j.sources))]
}
