// Package load offers load and emits a sample for each request.
//
//   - [Raw] is for HTTP/1.1, lines on TCP, and UDP: event loops on plain system
//     calls, with a parser of their own.
//   - [Streams] is for HTTP/2 and WebSocket, by libraries.
//   - [Simple] is the reference for HTTP/1.1, on Go's net/http: a closed loop of
//     workers. A test holds [Raw] to what it sees.
//   - [Curl] runs the real curl(1) for each request.
//   - [Process] runs any of them in a process of its own in the client's network
//     namespace, so that the client's processor time is known by itself.
//
// [Local] is the place of a client that stands where the process itself does.
//
// # Sockets, threads and namespaces
//
// A socket belongs to the network namespace of the thread that made it, and can
// be used from any thread afterwards (network_namespaces(7)).
//
// A loop of [Raw] locks itself to a thread of the client's place, makes all of
// its sockets there and uses them there, so that nothing is handed from thread
// to thread. It waits for all of them in one call (epoll(7)), with the time in
// nanoseconds (epoll_pwait2) and without the slack by which the kernel may be
// late otherwise: at 1000 requests per second on a busy virtual machine, the
// median of an open loop's lag was 41 µs with that and 96 µs without. It does not
// spin until a request is due, which would take the processor from the server.
// There is one loop on up to two processors: a second one would
// only take the processor from the server. Several share nothing on their way
// but the number of the next request or connection, and a lock under which
// samples are handed on, up to 128 at a time.
//
// Of [Simple], only socket(2) runs on a thread of the place: one goroutine for
// the whole load makes sockets there, a few ahead of need, and the workers are
// ordinary goroutines. A worker that is locked to a thread of the place pays with
// a hand-over between threads whenever it waits for the network: with
// net.Dialer, it makes half of the requests per second.
//
// # Why plain system calls
//
// Where each request has a connection of its own, the kernel does almost all of
// the work: connect(2) and close(2) are two thirds of it, and a client can only
// add to it. So a loop makes as few calls as it can: socket, connect, send,
// getsockname, epoll_ctl, recv and close for a request, and an epoll_wait for
// all that has come. It sends at once after connect: on a short way, the
// connection stands by then. They are made by RawSyscall, because a socket that
// does not block has nothing to wait for, and Go's scheduler need not be told;
// only the wait for events is told to it. A loop allocates nothing for a
// request, which tests hold it to: connections, exchanges and parsers are made
// before the load, and a name that many answers give is kept once.
//
// A loop reads all answers that have come before it begins new requests, so
// that no answer looks later than it was, and hands samples on when the new
// requests are under way.
//
// # What the times mean
//
// The due times of an open loop are those of the plan, whatever the client does:
// what makes a request begin late is in its latency, and not in its response
// time. The client itself is late only where there was room for the request
// ([github.com/portlab/portlab/lab.Client]). A loop goes through its schedule
// twice, as requests become due and as they begin, so that any backlog needs no
// memory.
//
// A connection stands from when connect(2) had returned, if the request could be
// sent right then, and else from when the poller said so.
//
// # What is bounded
//
// An answer has at most 1 MiB of header and 64 MiB of body. No body is kept,
// but for the beginning that a pattern is searched for in. After a fault of the
// client's own (no port, no descriptor) a loop rests, from 10 ms to 1 s, and
// never tries again without a pause. Connections that wait for the server to
// close, and datagrams that are kept for a second answer, are at most 1024.
package load
