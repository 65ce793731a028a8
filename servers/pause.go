package servers

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// Pause waits for SIGTERM, SIGINT or the end of ctx, and returns nil. It is
// the body of a sandbox: a container that does nothing but own the network
// namespace that others join. As PID 1 of a PID namespace it also reaps the
// orphans that the kernel hands to it (pid_namespaces(7)).
func Pause(ctx context.Context) error {
	ctx, stop := NotifyContext(ctx)
	defer stop()
	if os.Getpid() != 1 {
		<-ctx.Done()
		return nil
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	defer signal.Stop(ended)
	for {
		reap()
		select {
		case <-ended:
		case <-ctx.Done():
			return nil
		}
	}
}

// reap takes the exit status of every child that has ended. One SIGCHLD may
// stand for several of them, since signals do not queue (signal(7)).
func reap() {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
	}
}
