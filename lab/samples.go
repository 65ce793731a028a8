package lab

import "iter"

// Samples are the raw data of a load, in the order in which the requests were
// due. They can be read any number of times, and need not be in memory.
type Samples interface {
	// Len is how many there are.
	Len() int
	// All reads them from the first to the last. An error ends it early, and is
	// what Err returns from then on.
	All() iter.Seq[Sample]
	Err() error
}

// Recorder takes the samples of one load, in any order, and gives them back in
// the order in which they were due.
type Recorder interface {
	Record(s Sample) error
	// Samples ends the recording.
	Samples() (Samples, error)
}

// SampleList is samples in memory, in the order in which they were due.
type SampleList []Sample

// Len implements [Samples].
func (l SampleList) Len() int { return len(l) }

// All implements [Samples].
func (l SampleList) All() iter.Seq[Sample] {
	return func(yield func(Sample) bool) {
		for _, s := range l {
			if !yield(s) {
				return
			}
		}
	}
}

// Err implements [Samples]: memory does not fail.
func (l SampleList) Err() error { return nil }
