package servers

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// NotifyContext returns a context that ends with the first SIGTERM or SIGINT;
// [context.Cause] then names the signal. From that moment on the signals do
// what they do by default: a second one ends the process at once. The function
// stop ends the context and the watch for signals.
func NotifyContext(parent context.Context) (ctx context.Context, stop context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	go func() {
		var cause error
		select {
		case s := <-signals:
			cause = fmt.Errorf("signal %q", s)
		case <-ctx.Done():
		}
		// Before the context ends, so that whoever sees its end can rely on
		// the second signal.
		signal.Stop(signals)
		cancel(cause)
	}()
	return ctx, func() { cancel(nil) }
}

// ended says whether ctx has ended. To a server that is an order, which it
// follows, and no error.
func ended(ctx context.Context) bool { return ctx.Err() != nil }
