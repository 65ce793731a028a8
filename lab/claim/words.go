package claim

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/portlab/portlab/lab"
)

// pWords writes a p-value: no more digits than anybody reads.
func pWords(p float64) string {
	if p < 0.0001 {
		return "p < 0.0001"
	}
	return fmt.Sprintf("p = %.2g", p)
}

// percent writes a fraction with one decimal, or two where it is below 1%.
func percent(x float64) string {
	if x > 0 && x < 0.01 {
		return strconv.FormatFloat(100*x, 'f', 2, 64) + "%"
	}
	return strings.TrimSuffix(strconv.FormatFloat(100*x, 'f', 1, 64), ".0") + "%"
}

// points writes a difference of shares in percentage points, rounded up: what
// is said to lie within must lie within.
func points(x float64) string {
	up := math.Ceil(1000*x-1e-9) / 10
	return strings.TrimSuffix(strconv.FormatFloat(up, 'f', 1, 64), ".0") + " points"
}

// thousands writes a count with commas.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// about rounds a needed number up to two digits: it is an estimate.
func about(n int) string {
	unit := 1
	for n/unit >= 100 {
		unit *= 10
	}
	return thousands((n + unit - 1) / unit * unit)
}

// count writes a number of things: 1 connection, 300 connections.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return thousands(n) + " " + thing + "s"
}

// list writes names as a person would, and no more than five of them.
func list(names []string) string {
	const most = 5
	if n := len(names); n > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), n-most)
	}
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// nullWords says in words how a strategy spreads connections.
func nullWords(n lab.Null) string {
	switch n {
	case lab.Random:
		return "at random"
	case lab.Hash:
		return "by a hash of addresses and ports"
	case lab.HashAddress:
		return "by a hash of the client's address"
	case lab.RoundRobin:
		return "in turn"
	case lab.LeastConnections:
		return "to the least busy instance"
	case lab.AcceptRace:
		return "to whoever accepts first"
	case lab.Single:
		return "to one instance"
	}
	return "by a rule that is not known"
}
