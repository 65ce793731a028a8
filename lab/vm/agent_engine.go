package vm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"time"
)

// engine is the Docker engine of a machine.
type engine struct {
	done chan struct{}
	err  error // how it ended; valid once done is closed
}

const (
	engineLog    = "/run/dockerd.log"
	engineSocket = "/var/run/docker.sock" // where an engine listens unless it is told otherwise
)

// startEngine starts the Docker engine. What goes wrong is told by await.
func startEngine() *engine {
	e := &engine{done: make(chan struct{})}
	c := exec.Command("dockerd") //nolint:noctx // it lives as long as the machine
	log, err := os.Create(engineLog)
	if err == nil {
		c.Stdout, c.Stderr = log, log
		err = errors.Join(c.Start(), log.Close())
	}
	if err != nil {
		e.err = err
		close(e.done)
		return e
	}
	go func() {
		e.err = c.Wait()
		close(e.done)
	}()
	return e
}

// await returns when the engine answers, or with the end of its log where it
// has ended or ctx has.
func (e *engine) await(ctx context.Context) error {
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", engineSocket)
		},
		DisableKeepAlives: true,
	}}
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://engine/_ping", http.NoBody)
		if err != nil {
			return err
		}
		if answer, err := client.Do(r); err == nil {
			_ = answer.Body.Close() // there is nothing more to learn from it
			if answer.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-e.done:
			return e.failed(fmt.Sprintf("the Docker engine ended: %v", e.err))
		case <-ctx.Done():
			return e.failed("the Docker engine does not answer")
		case <-time.After(devicePause):
		}
	}
}

// logTail is how much of the engine's log is told, in bytes.
const logTail = 4 << 10

func (e *engine) failed(how string) error {
	log, err := os.ReadFile(engineLog)
	if err != nil {
		return fmt.Errorf("%s; there is no log: %w", how, err)
	}
	return fmt.Errorf("%s; it said: %s", how, log[max(0, len(log)-logTail):])
}
