package lab

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// Impairment is what a path does to packets beside passing them on, in each
// direction by itself: so with a delay the round trip takes twice as long. The
// zero value does nothing. Linux does it by NETEM (tc-netem(8); S. Hemminger,
// "Network Emulation with NetEm", linux.conf.au 2005), packet by packet and
// each independently of those before it.
type Impairment struct {
	// Delay is how long a packet is held, and Jitter by how much more or less at
	// most, evenly spread. With Jitter packets overtake each other.
	Delay  time.Duration `json:"delay_ns,omitempty"`
	Jitter time.Duration `json:"jitter_ns,omitempty"`
	// LossPercent of the packets are dropped, DuplicatePercent sent twice, and
	// in CorruptPercent of them one bit is turned over.
	LossPercent      float64 `json:"loss_percent,omitempty"`
	DuplicatePercent float64 `json:"duplicate_percent,omitempty"`
	CorruptPercent   float64 `json:"corrupt_percent,omitempty"`
	// ReorderPercent of the packets are not held, and so overtake those that are.
	ReorderPercent float64 `json:"reorder_percent,omitempty"`
	// Rate is the most that passes, in bits per second; 0: whatever the link does.
	Rate uint64 `json:"rate_bit_per_s,omitempty"`
	// Limit is how many packets may be held at once, before further ones are
	// dropped; 0: [DefaultImpairedPackets].
	Limit int `json:"limit_packets,omitempty"`
}

// noImpairment is the text form of none.
const noImpairment = "none"

// The bounds of an [Impairment]. A delay is kept by the kernel in units of 64 ns
// and a probability in 32 bits.
const (
	MaxImpairedDelay = time.Minute
	MinImpairedShare = 1e-6           // percent
	MinImpairedRate  = 1_000          // bits per second
	MaxImpairedRate  = 10_000_000_000 // bits per second
	MaxImpairedLimit = 1_000_000      // packets
	// DefaultImpairedPackets is so many that a delay by itself drops nothing: a
	// tenth of a second of a million packets a second. The default of tc(8),
	// 1,000, would be reached at 10,000.
	DefaultImpairedPackets = 100_000
)

// String is the text form that [ParseImpairment] reads, such as
// "delay=20ms,loss=1%", or "none".
func (i Impairment) String() string {
	var all []string
	for _, p := range impairmentParts {
		if text := p.of(&i).text(); text != "" {
			all = append(all, p.name+"="+text)
		}
	}
	if len(all) == 0 {
		return noImpairment
	}
	return strings.Join(all, ",")
}

// Validate returns a [UsageError] for an impairment that makes no sense.
func (i Impairment) Validate() error {
	for _, p := range impairmentParts {
		if err := p.of(&i).check(); err != "" {
			return Usagef("the %s of an impairment %s", p.name, err)
		}
	}
	switch {
	case i.Jitter > i.Delay:
		return Usagef("the jitter of an impairment is more or less than its delay: it cannot be more than that, as %s is than %s", i.Jitter, i.Delay)
	case i.ReorderPercent > 0 && i.Delay == 0:
		return Usagef("packets are reordered by holding all others: give a delay with the reorder of an impairment, such as delay=10ms,reorder=25%%")
	}
	return nil
}

// netem is the impairment in the words of tc-netem(8).
func (i Impairment) netem() []string {
	words := []string{"netem", "limit", strconv.Itoa(i.Packets())}
	for _, p := range impairmentParts {
		text := p.of(&i).text()
		switch {
		case text == "" || p.name == "limit":
		case p.name == "delay":
			words = append(words, "delay", tcTime(i.Delay))
		case p.name == "jitter": // stands behind the delay
			words = append(words, tcTime(i.Jitter))
		default:
			words = append(words, p.name, text)
		}
	}
	return words
}

// tcTime is a time as every tc(8) reads it.
func tcTime(d time.Duration) string {
	if d%time.Millisecond == 0 {
		return strconv.FormatInt(d.Milliseconds(), 10) + "ms"
	}
	return strconv.FormatFloat(float64(d)/float64(time.Microsecond), 'f', -1, 64) + "us"
}

// Packets is how many packets may be held at once.
func (i Impairment) Packets() int { return cmp.Or(i.Limit, DefaultImpairedPackets) }
