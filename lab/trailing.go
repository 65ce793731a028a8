package lab

import "time"

// Trailing is a [Strategy] that follows a changed set of replicas a little
// later than its steps are changed, since a program reads its files again, a
// watch has to see them, or answers were cached. A replica that is to leave must
// go on answering for as long: then nothing is lost.
type Trailing interface {
	Strategy
	// Trails is how long connections may still go the old way.
	Trails() time.Duration
}

// TrailOf is how long a strategy trails behind a change; most do not.
func TrailOf(s Strategy) time.Duration {
	if t, ok := s.(Trailing); ok {
		return t.Trails()
	}
	return 0
}
