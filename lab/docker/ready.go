package docker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/testcontainers/testcontainers-go/wait"
)

// pollInterval is how often an unready container is asked again.
const pollInterval = 10 * time.Millisecond

// ready waits until a container answers at its own address, which no
// docker-proxy stands in front of. It is a [wait.Strategy].
type ready struct {
	timeout time.Duration
	ask     func(ctx context.Context) error
}

// WaitUntilReady asks until the answer is yes, the container has ended, or
// time is up.
func (r ready) WaitUntilReady(ctx context.Context, c wait.StrategyTarget) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	for n := 1; ; n++ {
		err := r.ask(ctx)
		if err == nil {
			return nil
		}
		if n%10 == 0 { // the engine's answer costs more than ours
			if s, e := c.State(ctx); e == nil && !s.Running {
				return fmt.Errorf("it ended with exit status %d before it was ready", s.ExitCode)
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it was not ready within %s: %w", r.timeout, errors.Join(err, context.Cause(ctx)))
		case <-time.After(pollInterval):
		}
	}
}

// until is a wait that ends when a context does, beside the one it is given.
type until struct {
	ctx  context.Context
	wait wait.Strategy
}

// WaitUntilReady waits as the strategy inside does.
func (u until) WaitUntilReady(ctx context.Context, c wait.StrategyTarget) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(u.ctx, func() { cancel(context.Cause(u.ctx)) })()
	return u.wait.WaitUntilReady(ctx, c)
}

// healthy asks an instrumented server whether it is well.
func healthy(at netip.AddrPort) func(context.Context) error {
	client := &http.Client{
		Timeout:   time.Second,
		Transport: &http.Transport{DisableKeepAlives: true},
	}
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at.String()+"/healthz", nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %s", req.URL, resp.Status)
		}
		return nil
	}
}

// accepting asks whether anybody accepts connections at an address.
func accepting(at netip.AddrPort) func(context.Context) error {
	return func(ctx context.Context) error {
		c, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", at.String())
		if err != nil {
			return err
		}
		return c.Close()
	}
}
