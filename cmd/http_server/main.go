// Command http_server is the instrumented server alone: what `portlab serve`
// is, with the same variables of the environment, in a program of its own that
// starts in half the time and takes half the memory. That counts where one
// machine starts a thousand replicas. See [servers.ConfigFromEnv] and the
// package comment of servers.
//
// The exit status is 0 when it was told to end and cut off nothing, 2 on bad
// usage or a bad configuration, and 4 when it could not listen or broke on the
// way.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/portlab/portlab/servers"
)

// The exit statuses, as portlab has them.
const (
	statusServed = 0
	statusUsage  = 2
	statusBroken = 4
)

const usage = `http_server answers "Hello from INSTANCE" to every request, and says in the
headers of its answer who answered. It speaks HTTP/1.1, HTTP/2 with prior
knowledge and WebSocket on one port. SIGTERM and SIGINT have it drain and end.

It reads these variables of the environment:

  INSTANCE       instance name (default the host's name)
  PROTOCOL       what it speaks beside them: tcp, a line to ask and a line to
                 answer on a connection; udp, a datagram each; http, nothing
                 (default)
  HOST           addresses to listen on, joined by commas (default 0.0.0.0)
  PORT           port to listen on, of TCP and of UDP (default 8080; 0: any that
                 is free)
  REUSEPORT      1 sets SO_REUSEPORT, so that others may listen there too
  DRAIN_TIMEOUT  how long requests under way may take when it is told to end
                 (default 10s)
  LISTEN_FDS     how many listening TCP sockets, with PROTOCOL=udp UDP sockets
                 too, it takes from file descriptor 3 on, as sd_listen_fds(3)
                 has it; HOST, PORT and REUSEPORT then do not matter
  LISTEN_PID     the process that is to take them (default this one)

Exit status: 0 told to end, nothing was cut off; 2 bad usage or configuration;
4 it could not listen, or broke on the way.
`

func main() {
	// Before all else: as PID 1 of a container or a namespace, a process
	// without a handler does not hear SIGTERM at all (pid_namespaces(7)).
	ctx, stop := servers.NotifyContext(context.Background())
	code := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole program but for the process around it. It returns the exit
// status.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	switch {
	case len(args) == 0:
	case args[0] == "--help" || args[0] == "-h":
		fmt.Fprint(stdout, usage)
		return statusServed
	default:
		fmt.Fprintf(stderr, "http_server: %q is not known, there are no arguments: --help lists the variables that it reads\n", args[0])
		return statusUsage
	}
	config, err := servers.ConfigFromEnv(getenv)
	if err == nil {
		err = servers.Run(ctx, config, stderr)
	}
	return status(err, stderr)
}

// status tells an error and gives the exit status for it.
func status(err error, stderr io.Writer) int {
	if err == nil {
		return statusServed
	}
	fmt.Fprintf(stderr, "http_server: %v\n", err)
	if errors.Is(err, servers.ErrConfig) {
		return statusUsage
	}
	return statusBroken
}
