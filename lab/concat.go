package lab

import (
	"errors"
	"iter"
	"time"
)

// Concat is the samples of several loads as those of one: each load begins when
// all of the one before has ended. Requests and connections are numbered on,
// and times run on. Every fold over it is one over them all.
func Concat(loads ...Samples) Samples { return concatenation(loads) }

type concatenation []Samples

// Len implements [Samples].
func (c concatenation) Len() int {
	n := 0
	for _, part := range c {
		n += part.Len()
	}
	return n
}

// Err implements [Samples].
func (c concatenation) Err() error {
	var all []error
	for _, part := range c {
		all = append(all, part.Err())
	}
	return errors.Join(all...)
}

// All implements [Samples].
func (c concatenation) All() iter.Seq[Sample] {
	return func(yield func(Sample) bool) {
		var from, next start
		for _, part := range c {
			for s := range part.All() {
				from.shift(&s)
				next.follow(s)
				if !yield(s) {
					return
				}
			}
			if part.Err() != nil {
				return
			}
			from = next
		}
	}
}

// start is where a load begins: the numbers of its first request and of its
// first connection, and its time zero.
type start struct {
	request, connection int
	at                  time.Duration
}

// follow moves the start behind a sample.
func (f *start) follow(s Sample) {
	f.request = max(f.request, s.Request+1)
	f.connection = max(f.connection, s.Connection+1)
	f.at = max(f.at, s.Done)
}

// shift has a sample count from the start. A time of zero stands for what did
// not happen, and stays.
func (f *start) shift(s *Sample) {
	s.Request += f.request
	s.Connection += f.connection
	s.Due += f.at
	s.Begun += f.at
	s.Done += f.at
	if s.Connected != 0 {
		s.Connected += f.at
	}
	if s.FirstByte != 0 {
		s.FirstByte += f.at
	}
}
