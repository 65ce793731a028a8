package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// none stands where there is no value.
const none = "-"

// span writes a duration with three significant digits and its unit: 1.23 ms.
func span(d time.Duration) string {
	units := []struct {
		size time.Duration
		name string
	}{{time.Second, "s"}, {time.Millisecond, "ms"}, {time.Microsecond, "µs"}}
	for _, u := range units {
		// From the point on where three digits would round up to the next unit.
		if d.Abs() >= u.size-u.size/2000 {
			return digits(float64(d)/float64(u.size), 3) + " " + u.name
		}
	}
	return strconv.FormatInt(int64(d), 10) + " ns"
}

// digits writes x with n significant digits and no exponent; digits before the
// point are never cut.
func digits(x float64, n int) string {
	switch {
	case x == 0:
		return "0"
	case math.Abs(x) >= math.Pow10(n-1):
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(x, 'e', n-1, 64), 64)
	if err != nil {
		return none // not a number, or infinite
	}
	magnitude := int(math.Floor(math.Log10(math.Abs(rounded))))
	return strconv.FormatFloat(rounded, 'f', max(n-1-magnitude, 0), 64)
}

// percent writes a fraction of one as a percentage: one digit after the point,
// and two significant ones where it is small.
func percent(fraction float64) string {
	p := 100 * fraction
	if a := math.Abs(p); a > 0 && a < 0.995 {
		return digits(p, 2) + "%"
	}
	return strconv.FormatFloat(p, 'f', 1, 64) + "%"
}

// pValue writes p as reports do: p = 0.356, p < 0.0001.
func pValue(p float64) string {
	switch {
	case p < 0.0001:
		return "p < 0.0001"
	case p > 0.9995:
		return "p > 0.999"
	}
	return "p = " + digits(p, 3)
}

// figure writes a number of no particular size with at most n significant
// digits, and no zeros at the end that say nothing.
func figure(x float64, n int) string {
	if a := math.Abs(x); a != 0 && (a < 1e-4 || a >= 1e7) {
		return strconv.FormatFloat(x, 'g', n, 64)
	}
	s := digits(x, n)
	if !strings.Contains(s, ".") {
		return s
	}
	return strings.TrimRight(strings.TrimRight(s, "0"), ".")
}

// whole writes an integer with its thousands apart: 19,623.
func whole(n int) string {
	s := strconv.Itoa(n)
	start := len(s) % 3
	if n < 0 {
		return "-" + whole(-n)
	}
	var parts []string
	if start > 0 {
		parts = append(parts, s[:start])
	}
	for i := start; i < len(s); i += 3 {
		parts = append(parts, s[i:i+3])
	}
	return strings.Join(parts, ",")
}

// plural writes a number and its noun: 1 replica, 2 replicas.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%s %ss", whole(n), noun)
}
