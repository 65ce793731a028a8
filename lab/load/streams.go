package load

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/portlab/portlab/lab"
)

// Streams is a driver for connections that live long and carry much: it speaks
// lab.HTTP2 and lab.WebSocket, over IPv4 and IPv6, by net/http and
// github.com/coder/websocket on goroutines. It carries out every plan for them.
// It implements lab.Driver; its zero value is ready.
//
// Of HTTP/2, as many requests as the plan's Streams are under way at once on
// one connection, so that there are Concurrency/Streams connections, rounded
// up. A server that allows fewer (SETTINGS_MAX_CONCURRENT_STREAMS, RFC 9113,
// 6.5.2) lets the others wait, and their time runs. Of WebSocket, messages
// follow each other; each is a request of the line protocol of package servers,
// and the answer is the next message.
//
// A kept connection that the server closes between two requests, or leaves by
// GOAWAY, is opened anew and is no fault. A request that was on its way by then
// is lost (lab.Reset): it is not made again, for the lab must not hide a loss.
//
// HTTP/2 has no word by which a client asks the server to close. So there the
// client closes first, whatever the plan says, unless the server was faster. Of
// WebSocket, the closing handshake is the request to close (RFC 6455, 7.1.1).
//
// A request of an open loop whose timeout passes while it still waits to begin,
// because as many as the plan's Concurrency are under way, never begins: its
// fault is lab.ClientLimit. A connection that was opened in the warm-up counts
// as standing from 1 ns on; connections are numbered from its beginning.
type Streams struct{}

// streamsName is how results name the driver.
const streamsName = "streams"

// Drive carries out the plan. It returns a lab.UsageError for a plan or targets
// that make no sense or that this driver leaves to others, a
// lab.UnsupportedError for more client addresses than the place has, the error
// of entering the place, and ctx's error. When ctx ends, the requests under way
// are cut off and give no sample.
func (d Streams) Drive(ctx context.Context, at lab.Place, p lab.Plan, to []netip.AddrPort, emit func(lab.Sample)) (lab.Client, error) {
	if err := p.Validate(); err != nil {
		return lab.Client{}, err
	}
	if err := d.can(p); err != nil {
		return lab.Client{}, err
	}
	l := &streamsLoad{plan: p, about: newSharedAbout(p), emit: emit, client: lab.Client{Driver: streamsName}}
	var err error
	if l.targets, err = newEndpoints(to, p); err != nil {
		return lab.Client{}, err
	}
	if l.sources, err = sourcesOf(at, p.Clients, l.targets); err != nil {
		return lab.Client{}, err
	}
	if l.dialect, err = newDialect(l); err != nil {
		return lab.Client{}, err
	}
	if err := at.Do(ctx, func() error { l.client.Ports = localPorts(); return nil }); err != nil {
		return l.client, err
	}
	if l.sockets, err = openSockets(ctx, at, familyOf(l.targets[0].address), min(socketsAhead, p.Concurrency)); err != nil {
		return l.client, err
	}
	defer l.sockets.close()
	return l.client, l.run(ctx)
}

// can returns a lab.UsageError for what this driver leaves to others.
func (Streams) can(p lab.Plan) error {
	if p.Protocol != lab.HTTP2 && p.Protocol != lab.WebSocket {
		return lab.Usagef("the client named %s speaks %s and %s, not %s: leave --client out", streamsName, lab.HTTP2, lab.WebSocket, p.Protocol)
	}
	return dialsAddresses(streamsName, p)
}

// streamsLoad is one load: what its workers share.
type streamsLoad struct {
	plan    lab.Plan
	targets []endpoint
	sources []address // of the connections, in turn; none: as the kernel chooses
	sockets *sockets
	dialect dialect
	about   *sharedAbout
	zero    time.Time // the end of the warm-up
	closing sync.WaitGroup

	mu     sync.Mutex // calls of emit do not overlap
	emit   func(lab.Sample)
	client lab.Client
	opened int    // connections so far
	serial uint64 // of requests, for ids
}

// now is the time since the end of the warm-up, by the monotonic clock;
// negative before.
func (l *streamsLoad) now() time.Duration { return time.Since(l.zero) }

// run offers the load by as many workers as requests may be under way. They
// share lanes, each of which has one connection at a time.
func (l *streamsLoad) run(ctx context.Context) error {
	lanes := make([]lane, (l.plan.Concurrency+l.plan.Streams-1)/l.plan.Streams)
	for i := range lanes {
		lanes[i].load = l
	}
	l.zero = time.Now().Add(l.plan.WarmUp)
	d := newDispatcher(l)
	var workers sync.WaitGroup
	for i := range l.plan.Concurrency {
		w := &streamsWorker{load: l, lane: &lanes[i%len(lanes)], todo: make(chan task, 1), free: d.free}
		d.spare = append(d.spare, w)
		workers.Go(func() { w.work(ctx) })
	}
	d.run(ctx)
	for _, w := range d.all {
		close(w.todo)
	}
	workers.Wait()
	for i := range lanes {
		lanes[i].close()
	}
	l.closing.Wait()
	addPace(&l.client, d.pace)
	return ctx.Err()
}

// nextConnection gives the number of a new connection.
func (l *streamsLoad) nextConnection() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.opened++
	return l.opened - 1
}

// nextID gives the id of a request of the line protocol.
func (l *streamsLoad) nextID() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.serial++
	return l.serial
}

// report hands on the sample of a request, if it counts.
func (l *streamsLoad) report(s lab.Sample, counted bool) {
	if !counted {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.emit(s)
}

// closedFirst counts a connection that the client closed first.
func (l *streamsLoad) closedFirst() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.client.ClosedFirst++
}
