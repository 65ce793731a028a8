package load

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/portlab/portlab/lab"
)

// transport is what the requests of a loop go by.
type transport interface {
	// begin begins an exchange. It ends it at once if it cannot.
	begin(x int32)
	// ready takes in what happened to a connection.
	ready(on int32, generation int32, events uint32)
	// lapse: the time of an exchange is over. It is under way, or held.
	lapse(x int32)
	// sweep is called when all that is due has begun.
	sweep()
	// close closes all connections.
	close()
}

// rawLoop offers one part of a load, on one thread.
type rawLoop struct {
	job       *job
	poll      *poller
	pace      pace
	most      int // exchanges that may be under way at once
	mostHeld  int // and held; see maxHeld
	exchanges *exchanges
	transport transport
	buffer    []byte
	reports   []lab.Sample // to be emitted
	serial    uint64       // of requests, for ids
	stopped   atomic.Bool

	rest      time.Duration // after the next fault of the client's own
	restsTill time.Duration

	closedFirst, ports int // as lab.Client has them
}

// errCutOff: the load was told to end early.
var errCutOff = errors.New("the load was cut off")

const (
	bufferBytes = 64 << 10
	emitAtOnce  = 128
)

func newLoop(j *job, part int) (*rawLoop, error) {
	poll, err := openPoller()
	if err != nil {
		return nil, err
	}
	l := &rawLoop{
		job: j, poll: poll, most: share(j.plan.Concurrency, part, j.threads), ports: localPorts(),
		buffer: make([]byte, bufferBytes), reports: make([]lab.Sample, 0, emitAtOnce),
		mostHeld: maxHeld, rest: minRest, restsTill: -never,
	}
	l.exchanges = newExchanges(l.most)
	if j.plan.Open() {
		l.pace = newOpenPace(j.plan, part, j.threads)
	} else {
		l.pace = newClosedPace(j.plan, &j.tally, part, j.threads)
	}
	if j.plan.Protocol == lab.UDP {
		l.transport = newDatagrams(l)
	} else {
		l.transport = newStreams(l)
	}
	return l, nil
}

// stop ends the load from another goroutine.
func (l *rawLoop) stop() {
	l.stopped.Store(true)
	l.poll.ring()
}

// run offers the load. New requests begin when all answers that have come are
// read, so that none of them looks later than it was; their samples are handed
// on when the new requests are under way.
func (l *rawLoop) run() error {
	defer l.transport.close()
	for {
		l.begin()
		l.transport.sweep()
		l.flush()
		limit, more := l.idle()
		if !more {
			return nil
		}
		events, err := l.poll.wait(limit)
		if err != nil {
			return err
		}
		if l.stopped.Load() {
			l.letGo()
			return errCutOff
		}
		// Before the answers make room: what was due meanwhile had none.
		l.pace.arrive(l.job.now(), l.room())
		for i := range events {
			if e := &events[i]; e.Fd != bellIndex {
				l.transport.ready(e.Fd, e.Pad, e.Events)
			}
		}
		l.lapse(l.job.now())
	}
}

// room is how many more exchanges may be under way.
func (l *rawLoop) room() int { return l.most - int(l.exchanges.underWay.size) }

// begin begins what is due, unless the loop rests.
func (l *rawLoop) begin() {
	for {
		now := l.job.now()
		room := l.room()
		if now < l.restsTill {
			room = 0
		}
		a, ok := l.pace.take(now, room)
		if !ok {
			return
		}
		l.start(a, now)
	}
}

// start makes an exchange of a request that is due.
func (l *rawLoop) start(a arrival, now time.Duration) {
	x := l.exchanges.take()
	it := &l.exchanges.all[x]
	it.counted = a.counted
	it.sample.Request, it.sample.Due, it.sample.Begun = a.number, a.due, max(now, a.due)
	l.exchanges.add(&l.exchanges.underWay, x, a.due+l.job.plan.Timeout)
	if now-a.due >= l.job.plan.Timeout {
		l.fail(x, lab.ClientLimit, l.neverBegan())
		l.report(x)
		return
	}
	l.serial++
	it.id = l.serial<<indexBits | uint64(x)
	l.transport.begin(x)
}

// indexBits is how many bits the index of an exchange takes in its id.
const indexBits = 14

// There must be enough of them.
var _ = [1<<indexBits - lab.MaxConcurrency - maxHeld]struct{}{}

func (l *rawLoop) neverBegan() string {
	if l.job.now() < l.restsTill {
		return "it never began: the client rested after a fault of its own"
	}
	return neverBegan(l.job.plan)
}

// lapse ends what has taken too long.
func (l *rawLoop) lapse(now time.Duration) {
	for l.exchanges.over(&l.exchanges.underWay) <= now {
		l.transport.lapse(l.exchanges.underWay.first)
	}
	for l.exchanges.over(&l.exchanges.held) <= now {
		l.transport.lapse(l.exchanges.held.first)
	}
}

// idle is how long nothing has to be done unless something happens; more is
// false once nothing is left to be done.
func (l *rawLoop) idle() (limit time.Duration, more bool) {
	now, room := l.job.now(), l.room()
	if now < l.restsTill {
		room = 0
	}
	at, more := l.pace.next(now, room)
	if !more && l.exchanges.underWay.size == 0 && l.exchanges.held.size == 0 {
		return 0, false
	}
	at = min(at, l.exchanges.over(&l.exchanges.underWay), l.exchanges.over(&l.exchanges.held))
	if more && now < l.restsTill {
		at = min(at, l.restsTill)
	}
	return max(at-now, 0), true
}

// fail marks an exchange that ends now.
func (l *rawLoop) fail(x int32, f lab.Fault, detail string) {
	s := &l.exchanges.all[x].sample
	s.Done, s.Fault, s.Detail = max(l.job.now(), s.Due), f, detail
}

// exhausted lets the loop rest after a fault of the client's own, longer each
// time in a row: ports and descriptors come back by themselves, and asking for
// them without a pause would only keep the processor from the server.
func (l *rawLoop) exhausted() {
	l.restsTill = l.job.now() + l.rest
	l.rest = min(2*l.rest, maxRest)
}

// recovered: a connection could be opened.
func (l *rawLoop) recovered() { l.rest = minRest }

// hold keeps an exchange that has ended for a while.
func (l *rawLoop) hold(x int32, limit time.Duration) {
	if int(l.exchanges.held.size) == l.mostHeld {
		l.transport.lapse(l.exchanges.held.first)
	}
	l.exchanges.remove(x)
	l.exchanges.add(&l.exchanges.held, x, l.job.now()+limit)
}

// report hands the sample of an exchange on, and frees it.
func (l *rawLoop) report(x int32) {
	l.exchanges.remove(x)
	it := &l.exchanges.all[x]
	if it.counted {
		l.reports = append(l.reports, it.sample)
	}
	l.exchanges.free = append(l.exchanges.free, x)
	if len(l.reports) == cap(l.reports) {
		l.flush()
	}
}

// flush emits the samples that wait for it. One lock for many of them costs
// next to nothing, also where several loops want it.
func (l *rawLoop) flush() {
	if len(l.reports) == 0 {
		return
	}
	l.job.mu.Lock()
	for i := range l.reports {
		l.job.emit(l.reports[i])
	}
	l.job.mu.Unlock()
	l.reports = l.reports[:0]
}

// letGo reports what has ended already and is only held.
func (l *rawLoop) letGo() {
	for l.exchanges.held.first != none {
		l.transport.lapse(l.exchanges.held.first)
	}
	l.flush()
}
