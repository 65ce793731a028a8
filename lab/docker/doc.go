// Package docker is the runtime on a Docker engine, through testcontainers-go:
// replicas are containers on a bridge network of the run's own, the host is
// the machine itself, and the external client is a network namespace that a
// veth pair links to it, as a cable would link another machine.
//
// All addresses come from 198.18.0.0/15, which is set aside for benchmarks
// (RFC 2544, RFC 6890) and so collides with nobody's network. Nothing is
// published on an address of the machine's own network.
package docker
