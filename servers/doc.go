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
// Its TCP port speaks HTTP/1.1, HTTP/2 with prior knowledge (RFC 9113, 3.3) and
// WebSocket (RFC 6455): a handshake for any path is accepted, and each text
// message is a request of the line protocol,
//
//	portlab 7 /?delay=5ms&body=10
//	7 v=1, instance="foo", conn=1, req=1, client="192.0.2.1:4711", service-ns=5012345 xxxxxxxxxx
//
// in which the client gives the number and the path, and the answer has the
// value of that header and as many bytes x as were asked for. Behind the path,
// the word close has the server close a TCP connection after its answer. What cannot be
// read is answered with the number and the word error. [Config.Protocol] has
// the server speak it on TCP connections too, beside HTTP, or in UDP datagrams
// to the port of the same number. UDP has no connections: a client's address
// and port stands for one, and [MaxPeers] of them are known at a time.
//
// /healthz answers 200, or 503 while the server drains. /metrics answers in
// the text format of Prometheus.
package servers
