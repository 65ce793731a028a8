// Package kernel is the Linux kernel as a [lab.Host]: packet filter, sysctls,
// tracked connections, links, processes and listening sockets of one network
// namespace (network_namespaces(7)). Runtimes compose it: the docker runtime
// uses it for the machine itself and for its external client.
//
// What it makes carries the run's id, so that [Traces] finds it again with no
// state file.
package kernel
