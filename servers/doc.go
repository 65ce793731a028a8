// Package servers holds the servers that portlab measures with: the
// instrumented http_server ([Run]), the body of the sandbox that only owns a
// network namespace ([Pause]), and a small reverse proxy ([RunProxy]).
//
// # Signals
//
// A container's PID 1 has no default handler for SIGTERM, and a lab stops
// replicas right after it started them. The first statement of main must
// therefore be
//
//	ctx, stop := servers.NotifyContext(context.Background())
//
// and that context must reach [Run], [Pause] or [RunProxy]. A SIGTERM from then
// on makes them return nil: at once if they do not listen yet, else after a
// drain, so that main returns with status 0.
//
// # The http_server
//
// It answers any request with "Hello from foo", where foo is its instance
// name, and with the header of package wire, which says which replica
// answered. The article's server, "How to Expose Multiple Containers On the
// Same Port", https://iximiuz.com/en/posts/multiple-containers-same-port-reverse-proxy/,
// takes the same INSTANCE, HOST and PORT. It can also be started with listening
// sockets that somebody else has made, in another network namespace perhaps;
// [ConfigFromEnv] says how. A query may ask for work:
//
//	?delay=5ms    wait so long before the answer; at most [MaxDelay]
//	?body=1024    answer with so many bytes; at most [MaxBody]
//
// /healthz answers 200, or 503 while the server drains. /metrics answers in
// the text format of Prometheus.
package servers
