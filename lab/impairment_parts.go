package lab

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// impairmentParts are the parts of an [Impairment]'s text form, in order. Their
// names are tc-netem(8)'s, but for the jitter, which has none there.
var impairmentParts = []impairmentPart{
	{"delay", func(i *Impairment) quantity { return span{&i.Delay} }},
	{"jitter", func(i *Impairment) quantity { return span{&i.Jitter} }},
	{"loss", func(i *Impairment) quantity { return share{&i.LossPercent} }},
	{"duplicate", func(i *Impairment) quantity { return share{&i.DuplicatePercent} }},
	{"corrupt", func(i *Impairment) quantity { return share{&i.CorruptPercent} }},
	{"reorder", func(i *Impairment) quantity { return share{&i.ReorderPercent} }},
	{"rate", func(i *Impairment) quantity { return bandwidth{&i.Rate} }},
	{"limit", func(i *Impairment) quantity { return packets{&i.Limit} }},
}

type impairmentPart struct {
	name string
	of   func(*Impairment) quantity
}

// quantity is the value of one part, with its unit.
type quantity interface {
	read(text string) bool
	text() string  // empty: nothing
	check() string // what is wrong with it; empty: nothing
	wants() string
}

// ParseImpairment reads the text form of an impairment: parts such as
// delay=20ms, jitter=5ms, loss=1%, duplicate=1%, corrupt=1%, reorder=25%,
// rate=10mbit and limit=1000, joined by commas; or none. What is none is a
// [UsageError].
func ParseImpairment(s string) (Impairment, error) {
	var i Impairment
	if s == noImpairment {
		return i, nil
	}
	seen := map[string]bool{}
	for part := range strings.SplitSeq(s, ",") {
		name, value, _ := strings.Cut(part, "=")
		at := slices.IndexFunc(impairmentParts, func(p impairmentPart) bool { return p.name == name })
		if at < 0 {
			return Impairment{}, Usagef("an impairment has no %q: write such as delay=20ms,loss=1%%, of %s; or none", name, impairmentNames())
		}
		q := impairmentParts[at].of(&i)
		if !q.read(value) {
			return Impairment{}, Usagef("the %s of an impairment wants %s, not %q", name, q.wants(), value)
		}
		if seen[name] {
			return Impairment{}, Usagef("the impairment %q has two of %s", s, name)
		}
		seen[name] = true
	}
	if err := i.Validate(); err != nil {
		return Impairment{}, err
	}
	return i, nil
}

func impairmentNames() string {
	var all []string
	for _, p := range impairmentParts {
		all = append(all, p.name)
	}
	last := len(all) - 1
	return strings.Join(all[:last], ", ") + " and " + all[last]
}

// span is a time.
type span struct{ *time.Duration }

func (q span) read(text string) bool {
	d, err := time.ParseDuration(text)
	*q.Duration = d
	return err == nil
}

func (q span) text() string {
	if *q.Duration == 0 {
		return ""
	}
	return q.String()
}

func (q span) check() string {
	if *q.Duration < 0 || *q.Duration > MaxImpairedDelay {
		return fmt.Sprintf("must be from 0s to %s, not %s", MaxImpairedDelay, *q.Duration)
	}
	return ""
}

func (span) wants() string { return "a time with its unit, such as 20ms" }

// share is a part of all packets, in percent.
type share struct{ of *float64 }

func (q share) read(text string) bool {
	number, percent := strings.CutSuffix(text, "%")
	x, err := strconv.ParseFloat(number, 64)
	*q.of = x
	return percent && err == nil
}

func (q share) text() string {
	if *q.of == 0 {
		return ""
	}
	return strconv.FormatFloat(*q.of, 'f', -1, 64) + "%"
}

func (q share) check() string {
	if x := *q.of; x != 0 && !(x >= MinImpairedShare && x <= 100) { // NaN too
		return fmt.Sprintf("must be 0%%, or from %v%% to 100%%, not %v%%", MinImpairedShare, x)
	}
	return ""
}

func (share) wants() string { return "a percentage, such as 1%" }

// bandwidth is bits per second, in the decimal units of tc(8).
type bandwidth struct{ of *uint64 }

var bandwidthUnits = []struct {
	name string
	bits uint64 // per second
}{{"gbit", 1e9}, {"mbit", 1e6}, {"kbit", 1e3}}

func (q bandwidth) read(text string) bool {
	for _, u := range bandwidthUnits {
		number, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		x, err := strconv.ParseFloat(number, 64)
		bits := math.Round(x * float64(u.bits))
		if err != nil || !(bits >= 0 && bits <= math.MaxInt64) {
			return false
		}
		*q.of = uint64(bits)
		return true
	}
	return false
}

func (q bandwidth) text() string {
	if *q.of == 0 {
		return ""
	}
	for _, u := range bandwidthUnits {
		if *q.of%u.bits == 0 {
			return strconv.FormatUint(*q.of/u.bits, 10) + u.name
		}
	}
	return strconv.FormatFloat(float64(*q.of)/1e3, 'f', -1, 64) + "kbit"
}

func (q bandwidth) check() string {
	if x := *q.of; x != 0 && (x < MinImpairedRate || x > MaxImpairedRate) {
		return fmt.Sprintf("must be from 1kbit to 10gbit, not %s", q.text())
	}
	return ""
}

func (bandwidth) wants() string { return "bits per second as kbit, mbit or gbit, such as 10mbit" }

// packets is a number of them.
type packets struct{ of *int }

func (q packets) read(text string) bool {
	n, err := strconv.Atoi(text)
	*q.of = n
	return err == nil && n > 0
}

func (q packets) text() string {
	if *q.of == 0 {
		return ""
	}
	return strconv.Itoa(*q.of)
}

func (q packets) check() string {
	if *q.of < 0 || *q.of > MaxImpairedLimit {
		return fmt.Sprintf("must be from 1 to %d packets, not %d", MaxImpairedLimit, *q.of)
	}
	return ""
}

func (packets) wants() string { return "a number of packets, such as 1000" }
