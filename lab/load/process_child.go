package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// Child is the body of the process that [Process] starts: it reads what to do
// from orders, offers the load from where it stands, and writes samples and what
// the driver says of itself to answer. It stops when orders or ctx end.
//
// Its error is one of hearing or answering. What the driver returned is said in
// the answer.
func Child(ctx context.Context, orders io.Reader, answer io.Writer) error {
	var o order
	if err := json.NewDecoder(orders).Decode(&o); err != nil {
		return fmt.Errorf("read what to do: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, orders) // however it ends, nobody wants the load any more
		stop()
	}()
	said, err := o.carryOut(ctx, answer)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(answer).Encode(said); err != nil {
		return fmt.Errorf("say how the load went: %w", err)
	}
	return nil
}

// carryOut offers the load and writes its samples.
func (o order) carryOut(ctx context.Context, answer io.Writer) (saying, error) {
	d, err := find(o.Driver)
	if err != nil {
		return saying{}, err
	}
	var at lab.Place = Local{}
	if len(o.Sources) > 0 {
		at = standing{sources: o.Sources}
	}
	before, err := processorTime()
	if err != nil {
		return saying{}, err
	}
	out := openOutbox(answer)
	client, failed := d.Drive(ctx, at, o.Plan, o.Targets, out.put)
	if err := out.close(); err != nil {
		return saying{}, err
	}
	after, err := processorTime()
	if err != nil {
		return saying{}, err
	}
	client.CPUs = o.CPUs
	client.UserCPU, client.SystemCPU = after.user-before.user, after.system-before.system
	return saying{Client: client, Problem: problemOf(failed)}, nil
}

// standing is where the process stands: in the namespace that it was started
// in, with the addresses that are known to be there.
type standing struct {
	Local
	sources []netip.Addr
}

// Sources implements lab.SourcePlace.
func (s standing) Sources() []netip.Addr { return s.sources }

// spent is the processor time of a process.
type spent struct{ user, system time.Duration }

// processorTime is what this process has used and its children that have ended
// (getrusage(2)).
func processorTime() (spent, error) {
	var all spent
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var u unix.Rusage
		if err := unix.Getrusage(who, &u); err != nil {
			return spent{}, os.NewSyscallError("getrusage", err)
		}
		all.user += time.Duration(u.Utime.Nano())
		all.system += time.Duration(u.Stime.Nano())
	}
	return all, nil
}

// saying is what the process says at its end.
type saying struct {
	Client  lab.Client `json:"client"`
	Problem *problem   `json:"problem,omitempty"`
}

// problem is a driver's error on its way through a pipe. One field is set.
type problem struct {
	Usage       *lab.UsageError       `json:"usage,omitempty"`
	Unsupported *lab.UnsupportedError `json:"unsupported,omitempty"`
	Interrupted bool                  `json:"interrupted,omitempty"`
	Other       string                `json:"other,omitempty"`
}

func problemOf(err error) *problem {
	if err == nil {
		return nil
	}
	if usage, ok := errors.AsType[*lab.UsageError](err); ok {
		return &problem{Usage: usage}
	}
	if unsupported, ok := errors.AsType[*lab.UnsupportedError](err); ok {
		return &problem{Unsupported: unsupported}
	}
	if errors.Is(err, context.Canceled) {
		return &problem{Interrupted: true}
	}
	return &problem{Other: err.Error()}
}

// errStopped: a signal has ended the load, and not who asked for it.
var errStopped = errors.New("the client's process was told to stop, and not by this one")

// err is the driver's error as it was.
func (p *problem) err(ctx context.Context) error {
	switch {
	case p == nil:
		return nil
	case p.Usage != nil:
		return p.Usage
	case p.Unsupported != nil:
		return p.Unsupported
	case p.Interrupted && ctx.Err() != nil:
		return ctx.Err()
	case p.Interrupted:
		return errStopped
	}
	return errors.New(p.Other)
}
