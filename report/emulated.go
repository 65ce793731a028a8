package report

import (
	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/compare"
)

// emulated is the word beside every figure of time, rate or cost that was
// measured where the processor was emulated. It stands in the figure's name: the
// label of its row, the head of its column, its unit.
const emulated = "emulated"

// timed is the name of a figure of time, rate or cost.
func timed(e lab.Environment, name string) string {
	if !e.Emulated {
		return name
	}
	return name + ", " + emulated
}

// axis is the name of an axis of time or rate, in short where the word has to find
// room on it: a plot for a telephone is narrow, and a panel is low.
func axis(e lab.Environment, name, short string) string {
	if e.Emulated {
		name = short
	}
	return timed(e, name)
}

// timed is the name of values of a metric.
func (d *digest) timed(m compare.Metric, name string) string {
	if !m.HardwareBound() {
		return name
	}
	return timed(d.Environment, name)
}

// notRanked stands in place of who is the best in what.
const notRanked = "Which is the fastest, or takes the least, is not said: the processor was emulated, and what is fast on an emulator may be slow elsewhere."

// asDigit is 1 or 0, as tables for machines have it.
func asDigit(yes bool) string {
	if yes {
		return "1"
	}
	return "0"
}
