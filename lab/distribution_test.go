package lab

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// manyDurations are more than a distribution keeps, with a long tail, in an
// order in which the greatest come last.
func manyDurations(n int) []time.Duration {
	random := rand.New(rand.NewPCG(5, 6))
	all := make([]time.Duration, n)
	for i := range all {
		all[i] = time.Duration(50_000 * math.Exp(2*random.NormFloat64()))
	}
	slices.Sort(all)
	return all
}

func within(t *testing.T, what string, got, want time.Duration) {
	t.Helper()
	if math.Abs(float64(got-want)) > 0.001*float64(want)+1 {
		t.Errorf("%s is %d ns, want %d ns to one part in a thousand", what, got, want)
	}
}

func TestManyDurationsAreKnownToThreeDigits(t *testing.T) {
	all := manyDurations(20 * ExactDurations)
	var d Distribution
	var sum float64
	for _, x := range all {
		d.Record(x)
		sum += float64(x)
	}
	rank := func(q float64) time.Duration { return all[int(math.Ceil(q*float64(len(all))))-1] }
	q := d.Quantiles()
	for what, pair := range map[string][2]time.Duration{
		"p50": {q.P50, rank(0.5)}, "p90": {q.P90, rank(0.9)}, "p99": {q.P99, rank(0.99)}, "p99.9": {q.P999, rank(0.999)},
		"p25": {d.Quantile(0.25), rank(0.25)},
	} {
		within(t, what, pair[0], pair[1])
	}
	if q.Count != len(all) || d.Count() != len(all) || q.Min != all[0] || q.Max != all[len(all)-1] {
		t.Errorf("count, least and greatest are not exact: %+v", q)
	}
	if want := time.Duration(sum / float64(len(all))); q.Mean != want {
		t.Errorf("mean %d, want %d", q.Mean, want)
	}
	if d.Quantile(0) < q.Min || d.Quantile(1) != q.Max {
		t.Errorf("the ends are %s and %s, want them within %s and %s", d.Quantile(0), d.Quantile(1), q.Min, q.Max)
	}
}

// A distribution takes every duration there is, whenever it comes.
func TestADistributionHasRoomForAnyDuration(t *testing.T) {
	var d Distribution
	for range ExactDurations {
		d.Record(time.Microsecond)
	}
	for _, x := range []time.Duration{-time.Second, 0, time.Hour, math.MaxInt64 / 2, math.MaxInt64} {
		d.Record(x)
	}
	q := d.Quantiles()
	if q.Min != -time.Second || q.Max != math.MaxInt64 || q.Count != ExactDurations+5 {
		t.Errorf("%+v", q)
	}
	within(t, "median", q.P50, time.Microsecond)
	if d.Quantile(1) != math.MaxInt64 {
		t.Errorf("the greatest is %s", d.Quantile(1))
	}
}

func TestADistributionTakesBoundedMemory(t *testing.T) {
	var d Distribution
	record := func() {
		for i := range 1000 {
			d.Record(time.Duration(i) * time.Millisecond)
		}
	}
	for d.Count() <= ExactDurations {
		record()
	}
	if n := testing.AllocsPerRun(10, record); n != 0 || d.values != nil {
		t.Errorf("%v allocations for 1,000 durations more, and %d are kept one by one", n, len(d.values))
	}
}

func TestBitsetSaysWhatIsNew(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	numbers := []int{0, 63, 64, pageBits - 1, pageBits, -1, -pageBits, math.MaxInt, math.MinInt}
	for range 20_000 {
		numbers = append(numbers, random.IntN(9000)-500)
	}
	var b Bitset
	seen := map[int]bool{}
	for _, n := range numbers {
		if fresh := b.Add(n); fresh == seen[n] {
			t.Fatalf("%d: new %v, seen before %v", n, fresh, seen[n])
		}
		seen[n] = true
	}
}
