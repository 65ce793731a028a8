package lab

import (
	"fmt"
	"strings"
)

// impaired is what the path did to packets in the course of the load, as it is
// written on the command line; empty: nothing.
func (r *Result) impaired() string {
	var all []string
	for _, i := range r.Impairments {
		all = append(all, i.String())
	}
	return strings.Join(all, ", then ")
}

// drifted is [drifting], unless the path was changed under the load: then it
// shows nothing but that.
func (r *Result) drifted(m Measurement, samples Samples) string {
	loses := false
	for _, i := range r.Impairments {
		if i.At > 0 {
			return ""
		}
		loses = loses || i.Impairment.drops()
	}
	w := drifting(m, samples)
	if w != "" && loses {
		w += "; the path lost packets (" + r.impaired() + "), which makes it differ by itself, by a whole second for a SYN that is sent again (RFC 6298)"
	}
	return w
}

// impatient: where the path loses or holds packets, a time-out is no loss of the
// strategy's.
func (r *Result) impatient(m Measurement) string {
	n := m.Faults[ConnectTimeout] + m.Faults[ReadTimeout]
	if n == 0 || len(r.Impairments) == 0 {
		return ""
	}
	again := "TCP sends what was lost again, a SYN after a second at first (RFC 6298), and a new connection takes two round trips until its answer: give a longer --timeout"
	if r.Plan.Protocol == UDP {
		again = "nobody sends a lost datagram again"
	}
	return fmt.Sprintf("%s timed out after %s on a path that was impaired (%s), which may say nothing about the strategy: %s",
		part(n, m.Requests), r.Plan.Timeout, r.impaired(), again)
}

// drops says whether the path loses packets for good.
func (i Impairment) drops() bool { return i.LossPercent > 0 || i.CorruptPercent > 0 || i.Rate > 0 }
