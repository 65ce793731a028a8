// Package guard makes sure that what a run owns outside itself goes away.
//
// A run that ends well takes back what it made. [Start] starts a guard beside
// it: a small process that sweeps the run when it ends in any other way,
// SIGKILL included. [Sweep] takes away what dead runs left, should a guard have
// died as well. What cannot carry a run's id, such as a sysctl's old value, is
// kept in a journal.
//
// No file says which runs are alive: each holds an abstract unix socket
// (unix(7)) that the kernel frees when the process ends, however it ends. The
// guard holds the run's sockets too, until it has swept.
package guard
