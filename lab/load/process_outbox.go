package load

import (
	"bytes"
	"io"
	"sync"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/samples"
)

// How samples are gathered on their way out, in bytes: they are written when
// there are so many, or after so long, and the driver waits when there are too
// many. Each time, two processes wake up beside what is measured.
const (
	outboxWake  = 256 << 10
	outboxMost  = 8 << 20
	outboxPause = 50 * time.Millisecond
)

// outbox writes samples on a goroutine of its own, so that the driver's loop
// does not wait for the pipe. The loop encodes them: that takes less than to
// copy them for another thread.
type outbox struct {
	to   io.Writer
	wake chan struct{} // there is much to write
	end  chan struct{} // closed when there will be no more
	done chan error

	mu      sync.Mutex
	room    sync.Cond // there is less than outboxMost, or nobody writes it
	encoder *samples.Writer
	waiting *bytes.Buffer
	broken  bool // the pipe takes nothing more
}

func openOutbox(to io.Writer) *outbox {
	o := &outbox{
		to: to, wake: make(chan struct{}, 1), end: make(chan struct{}), done: make(chan error, 1),
		waiting: bytes.NewBuffer(make([]byte, 0, 2*outboxWake)),
	}
	o.room.L = &o.mu
	o.encoder = samples.NewWriter((*waitingRoom)(o))
	go func() { o.done <- o.run() }()
	return o
}

// waitingRoom is an outbox to its own encoder, which has its lock.
type waitingRoom outbox

// Write implements io.Writer. What nobody will write is let go, so that the
// load can still end.
func (o *waitingRoom) Write(p []byte) (int, error) {
	if o.broken {
		return len(p), nil
	}
	return o.waiting.Write(p)
}

// put takes a sample. It waits only if the writer is late by outboxMost.
func (o *outbox) put(s lab.Sample) {
	o.mu.Lock()
	for o.waiting.Len() >= outboxMost && !o.broken {
		o.room.Wait()
	}
	_ = o.encoder.Write(&s) // memory takes all
	much := o.waiting.Len() >= outboxWake
	o.mu.Unlock()
	if much {
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

// run writes until the end. What waits is taken whole, against an empty buffer.
func (o *outbox) run() error {
	pause := time.NewTicker(outboxPause)
	defer pause.Stop()
	batch := bytes.NewBuffer(make([]byte, 0, 2*outboxWake))
	for ended := false; !ended; {
		finish := o.encoder.Flush
		select {
		case <-o.wake:
		case <-pause.C:
		case <-o.end:
			ended, finish = true, o.encoder.Close
		}
		o.mu.Lock()
		_ = finish() // memory takes all
		batch, o.waiting = o.waiting, batch
		o.mu.Unlock()
		o.room.Broadcast()
		if _, err := batch.WriteTo(o.to); err != nil {
			o.fail()
			<-o.end
			return err
		}
	}
	return nil
}

// fail lets go of samples from now on, so that the load can still end.
func (o *outbox) fail() {
	o.mu.Lock()
	o.broken = true
	o.waiting.Reset()
	o.mu.Unlock()
	o.room.Broadcast()
}
