package samples

import "github.com/portlab/portlab/lab"

// queue holds samples that wait, and gives out that of the earliest request: a
// binary heap of numbers, so that samples themselves are never moved.
type queue struct {
	heap  []waiter
	slots []lab.Sample
	free  []int
}

// waiter is a sample that waits, in a slot.
type waiter struct{ request, slot int }

func (q *queue) len() int   { return len(q.heap) }
func (q *queue) least() int { return q.heap[0].request }

func (q *queue) push(s lab.Sample) {
	w := waiter{s.Request, len(q.slots)}
	if n := len(q.free); n > 0 {
		w.slot, q.free = q.free[n-1], q.free[:n-1]
		q.slots[w.slot] = s
	} else {
		q.slots = append(q.slots, s)
	}
	q.heap = append(q.heap, w)
	for i := len(q.heap) - 1; i > 0; {
		above := (i - 1) / 2
		if q.heap[above].request <= q.heap[i].request {
			return
		}
		q.heap[above], q.heap[i] = q.heap[i], q.heap[above]
		i = above
	}
}

// pop takes out the sample of the earliest request. It is good until the next push.
func (q *queue) pop() *lab.Sample {
	first := q.heap[0]
	last := len(q.heap) - 1
	q.heap[0], q.heap = q.heap[last], q.heap[:last]
	for i := 0; ; {
		least := i
		for below := 2*i + 1; below <= 2*i+2 && below < last; below++ {
			if q.heap[below].request < q.heap[least].request {
				least = below
			}
		}
		if least == i {
			break
		}
		q.heap[i], q.heap[least] = q.heap[least], q.heap[i]
		i = least
	}
	q.free = append(q.free, first.slot)
	return &q.slots[first.slot]
}
