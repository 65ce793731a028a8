// Package calibrate holds the project's tests against balancers whose law is
// known: how often each test raises a false alarm, next to how often it says it
// does; how often it finds what is there, next to theory; and what the claims
// say of balancers of every kind.
//
// What is judged is made up, but who judges it is what judges real runs: the
// claims on samples, a comparison by its engine. [Pairs] does the same with runs
// of the lab itself, of which all that is known is that both of a pair are of
// one strategy.
//
// Everything random follows from a seed. Rates are fractions of one.
package calibrate
