package load

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/portlab/portlab/lab"
)

// How long a worker waits for the server to close, at first and at least. The
// close follows the answer within a round trip, unless the server ignores
// Connection: close; then the wait is halved each time, so that it costs little.
const (
	maxPatience = 50 * time.Millisecond
	minPatience = time.Millisecond
)

// worker has one request under way at a time.
type worker struct {
	loop     *loop
	answer   *answerReader
	patience time.Duration // with a server that does not close
}

func newWorker(l *loop) *worker {
	return &worker{loop: l, answer: newAnswerReader(l.now), patience: maxPatience}
}

// work makes requests until there are no more or ctx ends.
func (w *worker) work(ctx context.Context) { w.loop.work(ctx, w.request) }

// request makes one request on a connection of its own, and fills the sample in.
func (w *worker) request(ctx context.Context, s *lab.Sample) {
	t, conn, err := w.begin(ctx, s)
	if err == nil {
		defer conn.Close()
		s.Local = conn.local
		err = w.exchange(ctx, conn, t, s)
	}
	s.Done = w.loop.now()
	switch {
	case err != nil:
		s.Fault, s.Detail = classify(err, s.Connected != 0), detail(err)
	case s.Status != http.StatusOK:
		s.Fault = lab.BadAnswer
		s.Detail = strings.TrimSpace(fmt.Sprintf("status %d %s", s.Status, http.StatusText(s.Status)))
	}
	if err == nil && !w.answer.closed() {
		w.part(conn)
	}
}

// begin starts to connect, and notes in the sample to which target.
func (w *worker) begin(ctx context.Context, s *lab.Sample) (*endpoint, *connection, error) {
	if w.loop.names != nil {
		return w.beginNamed(ctx, s)
	}
	t := pick(w.loop.targets, w.loop.plan.Seed, uint64(s.Request))
	s.Target = t.address
	fd, err := w.loop.sockets.get(ctx)
	if err != nil {
		return t, nil, err
	}
	conn, err := startConnecting(fd, t.address)
	return t, conn, err
}

// exchange connects, asks and reads the answer, all before the deadline. It
// notes in the sample how far it came.
func (w *worker) exchange(ctx context.Context, conn *connection, t *endpoint, s *lab.Sample) error {
	if err := conn.SetDeadline(w.loop.begun.Add(s.Due + w.loop.plan.Timeout)); err != nil {
		return err
	}
	// A deadline that has passed is how a read or write under way is cut off.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := conn.await(t.address); err != nil {
		return err
	}
	s.Connected = w.loop.now()
	if _, err := conn.Write(t.last); err != nil {
		return err
	}
	head, err := w.answer.read(conn)
	s.FirstByte = w.answer.first
	if head == nil {
		return err
	}
	s.Status = head.status
	// What befell the connection explains more than an odd header does.
	return cmp.Or(err, identify(s, head.header))
}

// part leaves it to the server to close first, as long as patience lasts. The
// sample's times are fixed by now, and the next request is not due yet.
func (w *worker) part(conn *connection) {
	if conn.awaitClose(w.patience) {
		w.patience = maxPatience
		return
	}
	w.patience = max(w.patience/2, minPatience)
}
