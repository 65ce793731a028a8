// Package labtest helps to test what changes a host.
//
// [Host] is a strict fake of a machine: it refuses what iptables(8) and the
// kernel refuse, fails the test on words that it does not understand, can fail
// at any change, and traces packets through its rules, so that a test speaks
// of what becomes of a packet and not of the text of a rule. [Machine] is a
// picture of the real machine, to find what was left behind on it.
//
// For tests of other projects, which need no privilege and nothing else of the
// lab, [AssertBalanced] and [AssertShares] hold counts of connections against
// the shares that they are to have, with a stated rate of false alarms, and
// [Probe] counts who answers at a URL. docs/verdicts.md says how.
package labtest
