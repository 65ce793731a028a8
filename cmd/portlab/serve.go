package main

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/servers"
)

// serveFlags are the variables of the environment that the server reads, as
// flags: flag to variable.
var serveFlags = []struct{ flag, variable, usage string }{
	{"instance", "INSTANCE", "the name that its answers carry (default the host's name)"},
	{"host", "HOST", "addresses to listen on, joined by commas (default 0.0.0.0)"},
	{"port", "PORT", "port to listen on, of TCP and of UDP (default 8080)"},
	{"protocol", "PROTOCOL", "what it speaks beside HTTP: tcp or udp (default http, for nothing)"},
	{"drain-timeout", "DRAIN_TIMEOUT", "how long requests under way may take when it is told to end (default 10s)"},
}

func (a *app) serveCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "serve",
		Short: "run the instrumented http_server: what a replica is",
		Long: `serve answers "Hello from INSTANCE" to every request, and says in the headers of
its answer who answered. It speaks HTTP/1.1, HTTP/2 with prior knowledge and
WebSocket on one port; with --protocol tcp also a line to ask and a line to
answer on a connection, with --protocol udp a datagram each. It reads INSTANCE,
PROTOCOL, HOST, PORT, REUSEPORT and DRAIN_TIMEOUT from the environment; a flag
counts before its variable. SIGTERM and SIGINT have it drain and end.`,
		Example: `  portlab serve --instance foo --host 127.0.0.1 --port 8080
  INSTANCE=foo PORT=8080 REUSEPORT=1 portlab serve`,
		Args: exactly(),
	}
	for _, f := range serveFlags {
		c.Flags().String(f.flag, "", f.usage)
	}
	c.Flags().Bool("reuse-port", false, "set SO_REUSEPORT, so that others may listen there too")
	c.RunE = func(c *cobra.Command, _ []string) error {
		config, err := servers.ConfigFromEnv(a.serverEnv(c))
		if errors.Is(err, servers.ErrConfig) {
			return lab.Usagef("%v", err)
		}
		if err != nil {
			return err
		}
		return servers.Run(c.Context(), config, a.stderr)
	}
	return c
}

// serverEnv is the environment, with the flags that were given in place of
// their variables.
func (a *app) serverEnv(c *cobra.Command) func(string) string {
	given := map[string]string{}
	for _, f := range serveFlags {
		if c.Flags().Changed(f.flag) {
			given[f.variable] = c.Flags().Lookup(f.flag).Value.String()
		}
	}
	if c.Flags().Changed("reuse-port") {
		given["REUSEPORT"] = c.Flags().Lookup("reuse-port").Value.String()
	}
	return func(name string) string {
		if v, ok := given[name]; ok {
			return v
		}
		return a.getenv(name)
	}
}

// pauseCommand is the body of a sandbox container.
func (a *app) pauseCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "pause",
		Short:  "do nothing until told to end",
		Hidden: true,
		Args:   exactly(),
		RunE:   func(c *cobra.Command, _ []string) error { return servers.Pause(c.Context()) },
	}
}

// tcpProxyCommand is the project's own proxy of TCP connections, which the
// strategy of that name starts.
func (a *app) tcpProxyCommand() *cobra.Command {
	return a.proxyOf("tcp-proxy", "run the proxy of TCP connections", servers.RunTCPProxy)
}

// proxyCommand is the project's own reverse proxy, which the strategy of that
// name starts.
func (a *app) proxyCommand() *cobra.Command {
	return a.proxyOf("proxy", "run the reverse proxy", servers.RunProxy)
}

// namesCommand is the project's own server of DNS, which the strategy dns-rr
// starts.
func (a *app) namesCommand() *cobra.Command {
	return a.proxyOf("names", "run the name server", servers.RunNames)
}

// generateCommand makes a program's configuration from the containers of an
// engine, for the strategy nginx-gen.
func (a *app) generateCommand() *cobra.Command {
	return a.proxyOf("generate", "run a program whose configuration follows containers", servers.RunGenerator)
}

func (a *app) proxyOf(name, short string, run func(context.Context, string, io.Writer) error) *cobra.Command {
	c := &cobra.Command{
		Use:    name + " --config FILE",
		Short:  short,
		Hidden: true,
		Args:   exactly(),
	}
	config := c.Flags().String("config", "", "file that says where it listens and who answers")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if strings.TrimSpace(*config) == "" {
			return lab.Usagef("portlab %s wants --config FILE", name)
		}
		return run(c.Context(), *config, a.stderr)
	}
	return c
}
