package lab

import (
	"math"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// ExactDurations is of how many durations a [Distribution] keeps each.
const ExactDurations = 10_000

// distributionDigits is to how many significant digits a [Distribution] of
// more durations knows them.
const distributionDigits = 3

// Distribution is how durations are distributed, in bounded memory. Up to
// [ExactDurations], it keeps each, and its quantiles are values that occurred.
// Beyond, it is a HdrHistogram of three significant digits: quantiles are
// right to one part in a thousand. The number of durations, the least, the
// greatest and the mean are always exact. The zero value is one of nothing.
type Distribution struct {
	values    []time.Duration // while they are few
	sorted    bool
	histogram *hdrhistogram.Histogram // when they are many
	count     int
	sum       float64 // ns
	min, max  time.Duration
}

// Record adds a duration.
func (d *Distribution) Record(x time.Duration) {
	if d.count == 0 {
		d.min, d.max = x, x
	}
	d.count++
	d.sum += float64(x)
	d.min, d.max = min(d.min, x), max(d.max, x)
	if d.histogram != nil {
		d.coarsely(x)
		return
	}
	d.values, d.sorted = append(d.values, x), false
	if len(d.values) <= ExactDurations {
		return
	}
	d.histogram = hdrhistogram.New(1, d.room(), distributionDigits)
	for _, v := range d.values {
		d.coarsely(v)
	}
	d.values = nil
}

// coarsely records into the histogram, which grows with the greatest value. It
// knows nothing below zero.
func (d *Distribution) coarsely(x time.Duration) {
	v := max(int64(x), 0)
	if v > d.histogram.HighestTrackableValue() {
		wider := hdrhistogram.New(1, d.room(), distributionDigits)
		wider.Merge(d.histogram)
		d.histogram = wider
	}
	if err := d.histogram.RecordValue(v); err != nil {
		panic(err) // there is room for every value
	}
}

// room is the greatest value that a histogram must hold: the least that still
// has some to spare.
func (d *Distribution) room() int64 {
	most := max(int64(d.max), int64(time.Millisecond))
	if most > math.MaxInt64/2 {
		return math.MaxInt64
	}
	return 2 * most
}

// Count is how many durations there are.
func (d *Distribution) Count() int { return d.count }

// Quantile is the least duration that at least a fraction q of them all do not
// exceed: the nearest rank. It is 0 of nothing.
func (d *Distribution) Quantile(q float64) time.Duration {
	return d.Rank(int(math.Ceil(q * float64(d.count))))
}

// Rank is the r-th shortest duration, from 1; 0 of nothing.
func (d *Distribution) Rank(r int) time.Duration {
	r = min(max(r, 1), d.count)
	switch {
	case d.count == 0:
		return 0
	case r == 1:
		return d.min
	case r == d.count:
		return d.max
	case d.histogram != nil:
		v := time.Duration(d.histogram.ValueAtQuantile(100 * float64(r) / float64(d.count)))
		return min(max(v, d.min), d.max)
	case !d.sorted:
		slices.Sort(d.values)
		d.sorted = true
	}
	return d.values[r-1]
}

// Quantiles are those that are shown.
func (d *Distribution) Quantiles() Quantiles {
	if d.count == 0 {
		return Quantiles{}
	}
	return Quantiles{
		Count: d.count, Min: d.min, Max: d.max, Mean: time.Duration(d.sum / float64(d.count)),
		P50: d.Quantile(0.50), P90: d.Quantile(0.90), P99: d.Quantile(0.99), P999: d.Quantile(0.999),
	}
}

// Quantiles of a set of durations. Without any, all are zero.
type Quantiles struct {
	Count int           `json:"count"`
	Min   time.Duration `json:"min_ns"`
	Mean  time.Duration `json:"mean_ns"`
	P50   time.Duration `json:"p50_ns"`
	P90   time.Duration `json:"p90_ns"`
	P99   time.Duration `json:"p99_ns"`
	P999  time.Duration `json:"p999_ns"`
	Max   time.Duration `json:"max_ns"`
}
