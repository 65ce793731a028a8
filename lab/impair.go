package lab

import (
	"context"
	"strings"
	"time"
)

// Impairer is a [Fleet] that can make the path between the external client and
// the host worse.
type Impairer interface {
	// Impair has both ends of that path do this to what they send, in place of
	// what they did before; the zero [Impairment]: nothing. No other link is
	// touched. It returns an [UnsupportedError] where the kernel cannot, or where
	// there is no external client.
	Impair(ctx context.Context, to Impairment) error
}

// ImpairingHost is a [Host] that can tell whether its kernel can impair a path.
type ImpairingHost interface {
	Host
	// CheckImpair tries it where nobody sees it. It returns an [UnsupportedError]
	// where the kernel cannot or this user may not.
	CheckImpair(ctx context.Context) error
}

// TimedImpairment is what a path does from some time of a load on.
type TimedImpairment struct {
	At         time.Duration `json:"at_ns"` // after the driver was told to begin; 0: before that
	Impairment Impairment    `json:"impairment"`
}

// ParseTimedImpairment reads the text form of an [Impairment], with a time
// behind it such as @3s if it is not for the whole load.
func ParseTimedImpairment(s string) (TimedImpairment, error) {
	text, at, timed := strings.Cut(s, "@")
	var t TimedImpairment
	var err error
	if t.Impairment, err = ParseImpairment(strings.TrimSpace(text)); err != nil || !timed {
		return t, err
	}
	t.At, err = time.ParseDuration(at)
	if err != nil || t.At <= 0 || t.At > MaxDuration {
		return TimedImpairment{}, Usagef("an impairment begins with the load, or at a time into it such as loss=10%%@3s, not at %q", at)
	}
	return t, nil
}

// String is the text form that [ParseTimedImpairment] reads.
func (t TimedImpairment) String() string {
	if t.At == 0 {
		return t.Impairment.String()
	}
	return t.Impairment.String() + "@" + t.At.String()
}

// Impair has the path between the external client and the host do this to
// packets, from now on. It returns an [UnsupportedError] where the fleet cannot.
func (s Standing) Impair(ctx context.Context, to Impairment) error {
	f, ok := s.Fleet.(Impairer)
	if !ok {
		return &UnsupportedError{What: "impairing the path", Reason: "this runtime cannot", Remedy: "use --runtime netns"}
	}
	return f.Impair(ctx, to)
}
