package load

import (
	"context"
	"net/http"

	"github.com/portlab/portlab/lab"
)

// streamsWorker has one request under way at a time.
type streamsWorker struct {
	load *streamsLoad
	lane *lane
	todo chan task
	free chan<- *streamsWorker
	rest rests
}

// work makes the requests that it is given until there are no more.
func (w *streamsWorker) work(ctx context.Context) {
	for t := range w.todo {
		w.rest.after(ctx, w.request(ctx, t))
		w.free <- w
	}
}

// request makes one request and sees to it that its sample is handed on.
func (w *streamsWorker) request(ctx context.Context, t task) lab.Fault {
	s := lab.Sample{Request: t.number, Due: t.due, Begun: t.begun}
	until, cancel := context.WithDeadline(ctx, w.load.zero.Add(t.due+w.load.plan.Timeout))
	defer cancel()
	on, err := w.exchange(until, &s)
	s.Done = max(w.load.now(), s.Due)
	switch {
	case err != nil:
		s.Fault, s.Detail = w.load.fault(until, err, s.Connected != 0, on.end())
	case s.Status != 0 && s.Status != http.StatusOK:
		s.Fault, s.Detail = lab.BadAnswer, describeStatus(s.Status)
	}
	counted := t.counted && (s.OK() || ctx.Err() == nil) // cut off: see Drive
	if !w.lane.leave(on) {
		w.load.report(s, counted)
		return s.Fault
	}
	// The connection ends with this request. Nobody waits until it has.
	w.load.closing.Go(func() {
		s.ClosedFirst = on.close()
		w.load.report(s, counted)
	})
	return s.Fault
}

// exchange asks on the connection of the lane. If that turns out to be gone
// before anything of the request has left, it asks on another one.
func (w *streamsWorker) exchange(ctx context.Context, s *lab.Sample) (*link, error) {
	const attempts = 3
	for n := 1; ; n++ {
		on, err := w.lane.enter(ctx)
		s.Target, s.Connection = on.target.address, on.number
		if on.settled() {
			s.Local, s.Connected = on.local, on.stood
		}
		if err != nil {
			return on, noteHandshake(s, err)
		}
		sent, err := on.session.ask(ctx, s)
		if err == nil || sent || n == attempts || ctx.Err() != nil {
			return on, err
		}
		on.spend()
		if w.lane.leave(on) {
			w.load.closing.Go(func() { on.close() })
		}
	}
}
