// Package samples keeps every sample of a load, compactly and in bounded memory.
//
// [Writer] and [Reader] are the binary form of samples, some 20 bytes for each,
// which docs/samples.md describes byte by byte. It is a stream: on a pipe
// between two processes, what was flushed can be read at once.
package samples
