package scenarios_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"time"

	"github.com/portlab/portlab/lab"
)

// outcome is what a load generator says of one load.
type outcome struct {
	answered  int                       // requests that were answered with status 200
	failed    int                       // all others that it counts
	elapsed   time.Duration             // by its own clock
	quantiles map[float64]time.Duration // of latency, by their percent; only those that it tells
	result    lab.Result                // portlab's own, which tells more
}

// fields finds numbers in the text of a tool. A field that must be there and
// is not is an error: a tool of another version may print another text.
type fields struct {
	text []byte
	errs []error
}

func (f *fields) find(pattern string) (string, bool) {
	m := regexp.MustCompile(`(?m)` + pattern).FindSubmatch(f.text)
	if m == nil {
		return "", false
	}
	return string(m[1]), true
}

func (f *fields) need(pattern string) string {
	s, ok := f.find(pattern)
	if !ok {
		f.errs = append(f.errs, fmt.Errorf("the output has no %q", pattern))
		return "0"
	}
	return s
}

func (f *fields) number(s string) float64 {
	x, err := strconv.ParseFloat(s, 64)
	f.errs = append(f.errs, err)
	return x
}

func (f *fields) duration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	f.errs = append(f.errs, err)
	return d
}

// sum adds up all numbers that the first group of a pattern finds.
func (f *fields) sum(pattern string) int {
	n := 0
	for _, m := range regexp.MustCompile(`(?m)`+pattern).FindAllSubmatch(f.text, -1) {
		n += int(f.number(string(m[1])))
	}
	return n
}

func (f *fields) err() error { return errors.Join(f.errs...) }

func inSeconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// readWrk reads wrk --latency. Its time has two decimals, its rate has more.
func readWrk(out []byte) (outcome, error) {
	f := fields{text: out}
	all := f.number(f.need(`^ *(\d+) requests in `))
	o := outcome{elapsed: inSeconds(all / f.number(f.need(`^Requests/sec: +([\d.]+)`))), quantiles: map[float64]time.Duration{}}
	if s, ok := f.find(`^ *Non-2xx or 3xx responses: (\d+)`); ok {
		o.failed = int(f.number(s))
	}
	o.answered = int(all) - o.failed
	o.failed += f.sum(`^ *Socket errors: connect (\d+)`) + f.sum(`^ *Socket errors:.* read (\d+)`) +
		f.sum(`^ *Socket errors:.* write (\d+)`) + f.sum(`^ *Socket errors:.* timeout (\d+)`)
	for q, label := range map[float64]string{50: "50", 90: "90", 99: "99"} {
		o.quantiles[q] = f.duration(f.need(`^ +` + label + `% +([\d.]+[a-z]+)$`))
	}
	return o, f.err()
}

// readAb reads ab, whose quantiles are in whole milliseconds.
func readAb(out []byte) (outcome, error) {
	f := fields{text: out}
	all := f.number(f.need(`^Complete requests: +(\d+)`))
	o := outcome{elapsed: inSeconds(f.number(f.need(`^Time taken for tests: +([\d.]+) seconds`))), quantiles: map[float64]time.Duration{}}
	o.failed = int(f.number(f.need(`^Failed requests: +(\d+)`))) + f.sum(`^Non-2xx responses: +(\d+)`)
	o.answered = int(all) - o.failed
	for q, label := range map[float64]string{50: "50", 90: "90", 99: "99"} {
		o.quantiles[q] = f.duration(f.need(`^ +`+label+`% +(\d+)`) + "ms")
	}
	return o, f.err()
}

// readHey reads hey, which writes two percent signs.
func readHey(out []byte) (outcome, error) {
	f := fields{text: out}
	o := outcome{elapsed: inSeconds(f.number(f.need(`^ +Total:\s+([\d.]+) secs`))), quantiles: map[float64]time.Duration{}}
	o.answered = f.sum(`^ +\[200\]\s+(\d+) responses`)
	o.failed = f.sum(`^ +\[\d+\]\s+(\d+) responses`) - o.answered + f.sum(`^ +\[(\d+)\]\s+[^\d\s]`)
	if o.answered == 0 {
		return o, f.err()
	}
	for q, label := range map[float64]string{50: "50", 90: "90", 99: "99"} {
		o.quantiles[q] = inSeconds(f.number(f.need(`^ +` + label + `%+ in ([\d.]+) secs`)))
	}
	return o, f.err()
}

// byStatus adds up answers by their status, where "200" is the good one.
func (o *outcome) byStatus(count map[string]int) {
	for status, n := range count {
		if status == "200" {
			o.answered += n
		} else {
			o.failed += n
		}
	}
}

// readVegeta reads vegeta report -type=json.
func readVegeta(out []byte) (outcome, error) {
	var r struct {
		Latencies map[string]time.Duration
		Duration  time.Duration
		Wait      time.Duration
		Codes     map[string]int `json:"status_codes"`
	}
	if err := json.Unmarshal(out, &r); err != nil {
		return outcome{}, err
	}
	o := outcome{elapsed: r.Duration + r.Wait, quantiles: map[float64]time.Duration{}}
	o.byStatus(r.Codes)
	for q, label := range map[float64]string{50: "50th", 90: "90th", 99: "99th"} {
		if d, ok := r.Latencies[label]; ok {
			o.quantiles[q] = d
		}
	}
	return o, o.check()
}

// readFortio reads fortio load -json -.
func readFortio(out []byte) (outcome, error) {
	var r struct {
		ActualDuration    time.Duration
		RetCodes          map[string]int
		DurationHistogram struct {
			Percentiles []struct{ Percentile, Value float64 }
		}
	}
	// Words for people may follow the object.
	if err := json.NewDecoder(bytes.NewReader(out)).Decode(&r); err != nil {
		return outcome{}, err
	}
	o := outcome{elapsed: r.ActualDuration, quantiles: map[float64]time.Duration{}}
	o.byStatus(r.RetCodes)
	for _, p := range r.DurationHistogram.Percentiles {
		o.quantiles[p.Percentile] = inSeconds(p.Value)
	}
	return o, o.check()
}

// readOha reads oha --output-format json.
func readOha(out []byte) (outcome, error) {
	var r struct {
		Summary     struct{ Total float64 }
		Percentiles map[string]*float64 `json:"latencyPercentiles"`
		Codes       map[string]int      `json:"statusCodeDistribution"`
		Errors      map[string]int      `json:"errorDistribution"`
	}
	if err := json.Unmarshal(out, &r); err != nil {
		return outcome{}, err
	}
	o := outcome{elapsed: inSeconds(r.Summary.Total), quantiles: map[float64]time.Duration{}}
	o.byStatus(r.Codes)
	for n := range maps.Values(r.Errors) {
		o.failed += n
	}
	for q, label := range map[float64]string{50: "p50", 90: "p90", 99: "p99", 99.9: "p99.9"} {
		if x := r.Percentiles[label]; x != nil { // null where nothing was answered
			o.quantiles[q] = inSeconds(*x)
		}
	}
	return o, o.check()
}

// readPortlab reads portlab load --format json.
func readPortlab(out []byte) (outcome, error) {
	var r lab.Result
	if err := json.Unmarshal(out, &r); err != nil {
		return outcome{}, err
	}
	o := outcome{answered: r.Requests, elapsed: r.Elapsed, result: r}
	for n := range maps.Values(r.Faults) {
		o.answered -= n
		o.failed += n
	}
	o.quantiles = byPercent(r.Latency)
	return o, o.check()
}

// check refuses an outcome of a JSON object that was not the expected one:
// what is missing there reads as nothing.
func (o outcome) check() error {
	if o.elapsed <= 0 || o.answered+o.failed == 0 {
		return errors.New("the output counts no requests, or tells no time")
	}
	return nil
}

// byPercent is quantiles as the other tools have them.
func byPercent(q lab.Quantiles) map[float64]time.Duration {
	return map[float64]time.Duration{50: q.P50, 90: q.P90, 99: q.P99, 99.9: q.P999}
}
