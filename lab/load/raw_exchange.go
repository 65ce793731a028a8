package load

import (
	"time"

	"github.com/portlab/portlab/lab"
)

// exchange is one request, from when it begins until its sample is handed on.
type exchange struct {
	sample  lab.Sample
	counted bool
	on      int32  // its connection
	at      int32  // its place among those under way on that connection
	id      uint64 // in the line protocol
	turn    int    // which request on its connection, from 1
	until   time.Duration
	queue   *queue
	next    int32 // in its queue
	before  int32
}

// none is no exchange, or no connection.
const none int32 = -1

// exchanges are all of one loop, made before the load. Those under way are
// bounded by the concurrency; those that are held have ended, and wait for a
// while for what else may be said of them: who closes their connection, or
// whether the answer comes twice.
type exchanges struct {
	all      []exchange
	free     []int32
	underWay queue
	held     queue
}

// queue is a list of exchanges in the order in which their time is over, which
// is the order in which they came, because all are given the same time.
type queue struct{ first, last, size int32 }

// maxHeld bounds the exchanges that are held at once in one loop. When there
// are more, the oldest are let go early.
const maxHeld = 1024

func newExchanges(underWay int) *exchanges {
	e := &exchanges{
		// And one that has waited for too long to begin.
		all:      make([]exchange, underWay+maxHeld+1),
		underWay: queue{first: none, last: none}, held: queue{first: none, last: none},
	}
	e.free = indices(len(e.all))
	return e
}

// indices are those of a list, the first at the end, where they are taken from.
func indices(n int) []int32 {
	all := make([]int32, n)
	for i := range all {
		all[i] = int32(n - 1 - i)
	}
	return all
}

// take gives a free one; the caller sees to it that there is one.
func (e *exchanges) take() int32 {
	x := e.free[len(e.free)-1]
	e.free = e.free[:len(e.free)-1]
	e.all[x].sample = lab.Sample{}
	e.all[x].on = none
	return x
}

// add puts an exchange at the end of a queue.
func (e *exchanges) add(q *queue, x int32, until time.Duration) {
	it := &e.all[x]
	it.queue, it.until, it.before, it.next = q, until, q.last, none
	if q.last == none {
		q.first = x
	} else {
		e.all[q.last].next = x
	}
	q.last = x
	q.size++
}

// remove takes an exchange out of the queue that it is in.
func (e *exchanges) remove(x int32) {
	it := &e.all[x]
	q := it.queue
	if it.before == none {
		q.first = it.next
	} else {
		e.all[it.before].next = it.next
	}
	if it.next == none {
		q.last = it.before
	} else {
		e.all[it.next].before = it.before
	}
	it.queue = nil
	q.size--
}

// over is when the time of the first in a queue is over.
func (e *exchanges) over(q *queue) time.Duration {
	if q.first == none {
		return never
	}
	return e.all[q.first].until
}
