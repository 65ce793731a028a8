// Package stat is the mathematics behind the verdicts: tests, intervals and
// sample sizes for counts, on gonum.
//
// It knows nothing of replicas or connections. Callers state what they assume,
// by the function that they call; where the data are too weak for a method,
// the answer says so in its warnings and comes from a method that is valid
// there. Shares and probabilities are fractions of one. Everything random is
// drawn from the seed that the caller gives, so an answer can be had again.
package stat
