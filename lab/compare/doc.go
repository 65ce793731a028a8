// Package compare holds strategies against each other on a noisy machine.
//
// The unit of replication is the run, not the request: requests of one run
// share its replicas, its processor caches and its moment, so a million of them
// say how this run went and not how the next one goes. Each round runs every arm
// once, in an order drawn anew and balanced over the rounds, and what is compared
// is the ratio within a round, which what disturbs the whole round cancels out of.
package compare
