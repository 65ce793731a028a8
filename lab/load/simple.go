package load

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/portlab/portlab/lab"
)

// Simple is a driver that works as curl(1) does: a closed loop of workers, and
// a new connection for each request, closed by the server (Connection: close,
// RFC 9112, 9.6). It implements lab.Driver; its zero value is ready, and may
// carry out several plans at once.
//
// A request is due when its worker is free. Connections are numbered as
// requests are. After a fault of the client's own (lab.ClientLimit), a worker
// rests before its next request, from 10 ms to 1 s.
type Simple struct{}

// Drive carries out the plan. It returns a lab.UsageError for a plan or targets
// that make no sense, the error of entering the place, and ctx's error. When ctx
// ends, the requests under way are cut off and give no sample: their fault would
// be the client's, not the server's.
func (Simple) Drive(ctx context.Context, at lab.Place, p lab.Plan, to []netip.AddrPort, emit func(lab.Sample)) (lab.Client, error) {
	if err := p.Validate(); err != nil {
		return lab.Client{}, err
	}
	if err := (Simple{}).can(p); err != nil {
		return lab.Client{}, err
	}
	client := lab.Client{Driver: simpleName}
	targets, err := newEndpoints(to, p)
	if err != nil {
		return lab.Client{}, err
	}
	if p.Lookup.Client != "" {
		return client, driveNamed(ctx, at, p, targets, emit)
	}
	s, err := openSockets(ctx, at, familyOf(targets[0].address), min(socketsAhead, p.Requests))
	if err != nil {
		return lab.Client{}, err
	}
	defer s.close()

	return client, (&loop{plan: p, targets: targets, sockets: s, emit: emit}).drive(ctx)
}

// drive has the workers carry the plan out. It returns ctx's error where they
// were cut off.
func (l *loop) drive(ctx context.Context) error {
	l.begun = time.Now()
	var workers sync.WaitGroup
	for range min(l.plan.Concurrency, l.plan.Requests) {
		workers.Go(func() { newWorker(l).work(ctx) })
	}
	workers.Wait()
	if l.emitted < l.plan.Requests {
		return ctx.Err()
	}
	return nil
}

// simpleName is how results name the driver.
const simpleName = "simple"

// can returns a lab.UsageError for what this driver leaves to others.
func (Simple) can(p lab.Plan) error {
	switch {
	case p.Protocol != lab.HTTP1:
		return lab.Usagef("the simple client speaks %s, not %s: leave --client out", lab.HTTP1, p.Protocol)
	case p.Open() || p.Requests == 0 || p.Duration > 0 || p.Ramp > 0 || p.WarmUp > 0:
		return lab.Usagef("the simple client makes a number of requests as fast as they are answered: leave --client out, or rate, duration, ramp and warm-up")
	case p.PerConnection != 1 || p.CloseFirst != lab.ServerEnd:
		return lab.Usagef("the simple client opens a connection for each request and has the server close it: leave --client out")
	case p.Clients > 1 || p.Host != "" || p.InstanceHeader != "" || p.InstancePattern != "":
		return lab.Usagef("the simple client has one address, and reads the instrumented server's answers alone: leave --client out")
	case p.Lookup.Client == lab.CurlClient:
		return dialsAddresses(simpleName, p)
	}
	return nil
}

// loop is what the workers of one load share.
type loop struct {
	plan    lab.Plan
	targets []endpoint
	sockets *sockets
	names   named // looks the name up for each connection; nil: targets are dialled
	begun   time.Time

	// A request gets its number and its due time under one lock, so that both
	// have the same order.
	mu   sync.Mutex
	next int

	emitting sync.Mutex
	emit     func(lab.Sample)
	emitted  int
}

// now is the time since the start of the load, by the monotonic clock.
func (l *loop) now() time.Duration { return time.Since(l.begun) }

// due gives the next request, as far as it is known when it is due; false if
// there is none left.
func (l *loop) due() (lab.Sample, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next == l.plan.Requests {
		return lab.Sample{}, false
	}
	n := l.next
	l.next++
	at := l.now()
	return lab.Sample{Request: n, Connection: n, Due: at, Begun: at}, true
}

// work makes requests, one after the other, until there are no more or ctx
// ends.
func (l *loop) work(ctx context.Context, request func(context.Context, *lab.Sample)) {
	var rest rests
	for ctx.Err() == nil {
		s, more := l.due()
		if !more {
			return
		}
		request(ctx, &s)
		if !s.OK() && ctx.Err() != nil {
			return // cut off: see Drive
		}
		l.report(s)
		rest.after(ctx, s.Fault)
	}
}

func (l *loop) report(s lab.Sample) {
	l.emitting.Lock()
	defer l.emitting.Unlock()
	l.emitted++
	l.emit(s)
}
