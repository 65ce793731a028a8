// Package lab holds the vocabulary of portlab and the engine behind it.
//
// A [Strategy] describes, as a list of steps, how replicas are put behind one
// front. An [Exposure] is those steps applied: journalled before, replaced
// while they serve, reverted at the end. A [Runtime] makes the host, its
// replicas and the places where clients stand. [Run] takes one [Trial] from
// nothing to a [Result] and back to nothing.
//
// The package imports no other package of the project: strategies, runtimes,
// drivers and claims all speak its words, and it knows none of them by name.
package lab
