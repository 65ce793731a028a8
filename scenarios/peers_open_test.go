package scenarios_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
)

// percents are those that are shown.
var percents = []float64{50, 90, 99, 99.9}

// BenchmarkPeersAtHalf offers half of what the server can take, one new
// connection a request, by each tool that has an open loop: requests are due
// evenly, and next to none has to queue. So theory has the median of a closed
// loop of one worker, which stands above, and the percentiles beyond tell how
// even client and machine are. It prints medians over the rounds.
func BenchmarkPeersAtHalf(b *testing.B) {
	tools := present(b)
	alone, full := offer{concurrency: 1, lasts: measuredFor}, offer{concurrency: 64, lasts: measuredFor}
	rows := latencies{}
	for b.Loop() {
		half := offer{concurrency: 64, lasts: measuredFor}
		for _, tool := range tools {
			if tool.name == baseline {
				half.rate = float64(int(measure(b, tool, full).rate() / 2))
			}
		}
		rows.rate = append(rows.rate, half.rate)
		for _, tool := range tools {
			if tool.name == "portlab" {
				rows.add("portlab, closed loop of one worker", measure(b, tool, alone))
			}
			if tool.words(half, arenaAddress) == nil {
				continue
			}
			m := measure(b, tool, half)
			rows.add(tool.name, m)
			if tool.name == "portlab" && m.sound() {
				rows.addQuantiles("portlab, from when it began", m.result.Response)
				rows.addQuantiles("the server's own time", m.result.Service)
				rows.addQuantiles("portlab's own lag", m.result.Lag)
			}
		}
	}
	fmt.Printf("Latency at half of capacity, %.0f requests a second in the median\n\n%s\n", median(rows.rate), &rows)
}

// latencies are percentiles by name, one of each round.
type latencies struct {
	rate  []float64
	names []string
	all   map[string]map[float64][]float64 // seconds
	doubt []string
}

func (l *latencies) add(name string, m measurement) {
	if !m.sound() {
		l.doubt = append(l.doubt, name+": "+m.trouble)
	}
	l.put(name, m.quantiles)
}

func (l *latencies) addQuantiles(name string, q lab.Quantiles) {
	l.put(name, byPercent(q))
}

func (l *latencies) put(name string, quantiles map[float64]time.Duration) {
	if l.all == nil {
		l.all = map[string]map[float64][]float64{}
	}
	if l.all[name] == nil {
		l.names = append(l.names, name)
		l.all[name] = map[float64][]float64{}
	}
	for percent, d := range quantiles {
		l.all[name][percent] = append(l.all[name][percent], d.Seconds())
	}
}

// String is a table of medians, as Markdown.
func (l *latencies) String() string {
	rows := [][]string{{"", "p50", "p90", "p99", "p99.9"}}
	for _, name := range l.names {
		row := []string{name}
		for _, percent := range percents {
			text := "not told"
			if x := l.all[name][percent]; len(x) > 0 {
				text = fmt.Sprintf("%.2f ms", 1000*median(x))
			}
			row = append(row, text)
		}
		rows = append(rows, row)
	}
	b := &strings.Builder{}
	writeTable(b, rows)
	for _, doubt := range l.doubt {
		fmt.Fprintf(b, "\nIN DOUBT: %s\n", doubt)
	}
	return b.String()
}

// BenchmarkPeersAtStall has each tool meet a server that stalls for a second,
// in an open loop where it has one, else in a closed loop of eight workers,
// and prints what it then says of the latency beside what theory gives.
func BenchmarkPeersAtStall(b *testing.B) {
	rows := latencies{}
	theory := map[float64]time.Duration{}
	for _, percent := range percents {
		_, theory[percent] = theStall.latency(percent)
	}
	rows.put(fmt.Sprintf("theory, %.0f requests per second", theStall.rate), theory)
	tools := present(b)
	open := offer{concurrency: 64, rate: theStall.rate, lasts: theStall.lasts}
	closed := offer{concurrency: 8, keepAlive: true, lasts: theStall.lasts}
	for b.Loop() {
		for _, tool := range tools {
			rows.atStall(b, tool, "open", open)
			rows.atStall(b, tool, "closed", closed)
		}
	}
	fmt.Printf("Latency with a server that stalls for %s within %s\n\n%s\n", theStall.held, theStall.lasts, &rows)
}

// atStall adds a row of a tool that meets the stall in one kind of loop.
func (l *latencies) atStall(t testing.TB, tool peer, loop string, o offer) {
	t.Helper()
	_, url := theStall.serve(t)
	words := tool.words(o, url)
	if words == nil {
		return
	}
	out, err := exec.Command(words[0], words[1:]...).Output()
	if err != nil {
		l.doubt = append(l.doubt, fmt.Sprintf("%s: %v", tool.name, err))
		return
	}
	told, err := tool.read(out)
	if err != nil {
		l.doubt = append(l.doubt, fmt.Sprintf("%s: %v", tool.name, err))
	}
	l.put(tool.name+", "+loop+" loop", told.quantiles)
}
