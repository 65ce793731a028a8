// Package load offers load and emits a sample for each request.
//
// [Simple] works as curl(1) does: a closed loop of workers, each of which opens
// a new connection for each request. [Local] is the place of a client that
// stands where the process itself does.
//
// # Sockets, threads and namespaces
//
// A socket belongs to the network namespace of the thread that made it, and can
// be used from any thread afterwards (network_namespaces(7)). So only socket(2)
// runs on a thread of the client's place: one goroutine for the whole load makes
// sockets there, a few ahead of need, and the workers are ordinary goroutines.
//
// The plainer design, each worker locked to a thread of the place, pays with a
// hand-over between threads whenever a worker waits for the network. Against
// net.Dialer on ordinary goroutines, which would dial from the wrong namespace,
// medians of five interleaved loads on two cores over loopback were, as
// requests per second and as median latency, at a concurrency of 16 and of 64:
//
//	locked workers with net.Dialer          0.54 and 0.51, latency 1.90 and 2.02
//	locked workers with plain system calls  0.74 and 0.76, latency 1.34 and 1.26
//	one thread, a socket at a time          0.91 and 1.01, latency 1.14 and 1.06
//	one thread, sockets ahead of need       1.05 and 1.26, latency 0.94 and 0.78
//
// Besides, a process has at most 10,000 threads ([runtime/debug.SetMaxThreads]),
// and a plan may ask for as many workers.
package load
