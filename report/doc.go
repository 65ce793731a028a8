// Package report turns what a run measured into files and text.
//
// Everything in it is a pure fold over a [lab.Result] and its samples: the same
// values give the same bytes, so that a report can be made again, from the raw
// data, at any time. [Write] makes a folder:
//
//	report.md       for people, on a code host or in a terminal
//	report.html     the same as one page with its plots, for a browser
//	result.json     for scripts; docs/result.schema.json describes it
//	samples.bin.gz  the raw data, every request; docs/samples.md describes it
//	summary.csv     for a spreadsheet
//	junit.xml       the claims, for a CI server
//	bench.txt       for benchstat
//	shares.svg      connections by instance
//	latency.svg     the distribution of the latency
//	timeline.svg    requests and latency over time
//
// docs/reports.md describes them. [WriteComparison] does the same for a comparison.
//
// [Read] takes it back to the same values. [Text] is what a terminal shows
// after a run and [JSON] what a script reads.
//
// What comes from outside (names of instances, errors of the system) is never
// trusted to be harmless in Markdown or on a terminal.
package report
