package load

import (
	"sync"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/samples"
)

// How samples are gathered on their way out: the writer is woken for so many,
// or after so long, and the driver waits for it when there are too many.
const (
	outboxWake  = 1 << 10
	outboxMost  = 1 << 14 // some 5 MB
	outboxPause = 50 * time.Millisecond
)

// outbox writes samples on a goroutine of its own, so that the driver's loop
// neither encodes them nor waits for the pipe.
type outbox struct {
	to   *samples.Writer
	wake chan struct{} // there are many samples
	end  chan struct{} // closed when there will be no more
	done chan error

	mu      sync.Mutex
	room    sync.Cond // there are fewer than outboxMost, or nobody writes them
	waiting []lab.Sample
	broken  bool // the pipe takes nothing more
}

func openOutbox(to *samples.Writer) *outbox {
	o := &outbox{
		to: to, wake: make(chan struct{}, 1), end: make(chan struct{}), done: make(chan error, 1),
		waiting: make([]lab.Sample, 0, outboxMost),
	}
	o.room.L = &o.mu
	go func() { o.done <- o.run() }()
	return o
}

// put takes a sample. It waits only if the writer is late by outboxMost.
func (o *outbox) put(s lab.Sample) {
	o.mu.Lock()
	for len(o.waiting) == outboxMost && !o.broken {
		o.room.Wait()
	}
	if !o.broken {
		o.waiting = append(o.waiting, s)
	}
	many := len(o.waiting) == outboxWake
	o.mu.Unlock()
	if many {
		select {
		case o.wake <- struct{}{}:
		default: // it is awake
		}
	}
}

// close writes what is left and the end of the samples. No put may follow.
func (o *outbox) close() error {
	close(o.end)
	return <-o.done
}

// run writes until the end. What waits is taken whole, against an empty batch.
func (o *outbox) run() error {
	pause := time.NewTicker(outboxPause)
	defer pause.Stop()
	batch := make([]lab.Sample, 0, outboxMost)
	for ended := false; !ended; {
		select {
		case <-o.wake:
		case <-pause.C:
		case <-o.end:
			ended = true
		}
		o.mu.Lock()
		batch, o.waiting = o.waiting, batch[:0]
		o.mu.Unlock()
		o.room.Signal()
		if err := o.write(batch); err != nil {
			o.fail()
			<-o.end
			return err
		}
	}
	return o.to.Close()
}

func (o *outbox) write(batch []lab.Sample) error {
	for i := range batch {
		if err := o.to.Write(&batch[i]); err != nil {
			return err
		}
	}
	return o.to.Flush()
}

// fail lets go of samples from now on, so that the load can still end.
func (o *outbox) fail() {
	o.mu.Lock()
	o.broken = true
	o.mu.Unlock()
	o.room.Broadcast()
}
