package scenarios_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/portlab/portlab/lab/labtest"
)

// How `make bench-peers` calls this: with PORTLAB_PEERS, the folder of the
// programs that .ci/peers installed, and -benchtime NUMBERx, the rounds.

// measuredFor is how long each tool makes requests in each round.
const measuredFor = 2 * time.Second

// cells are the loads that are compared, the columns of the tables.
var cells = []struct {
	name string
	offer
}{
	{"1", offer{concurrency: 1, lasts: measuredFor}},
	{"16", offer{concurrency: 16, lasts: measuredFor}},
	{"64", offer{concurrency: 64, lasts: measuredFor}},
	{"16, kept", offer{concurrency: 16, keepAlive: true, lasts: measuredFor}},
}

// BenchmarkPeers compares portlab with other load generators: one new
// connection a request at three levels of concurrency, and kept connections,
// against the same server. In each round every tool offers every load once, in
// a shuffled order, so that what the machine does beside hits all of them. It
// prints ratios to wrk, each of two measurements of one round.
func BenchmarkPeers(b *testing.B) {
	tools := present(b)
	seed := seedOf(b)
	shuffle := rand.New(rand.NewPCG(seed, 0))
	results := table{}
	about := newCircumstances(seed)
	for b.Loop() {
		about.rounds++
		for _, i := range shuffle.Perm(len(tools) * len(cells)) {
			tool, cell := tools[i%len(tools)], cells[i/len(tools)]
			m := measure(b, tool, cell.offer)
			results.add(tool.name, cell.name, m)
			about.others = append(about.others, m.others)
		}
	}
	fmt.Println(about)
	fmt.Println(results)
	for _, cell := range cells {
		if ratios := results.ratios("portlab", cell.name, rates); len(ratios) > 0 {
			b.ReportMetric(median(ratios), "rate-to-wrk@"+strings.ReplaceAll(cell.name, ", ", "-"))
		}
	}
}

// present are the tools that can take part. It prints why others cannot.
func present(t testing.TB) []peer {
	t.Helper()
	if os.Getenv("PORTLAB_PEERS") == "" {
		t.Skip("PORTLAB_PEERS names no folder with the programs to compare with: make bench-peers does")
	}
	var tools []peer
	for _, p := range peers(t) {
		if why := p.missing(); why != "" {
			labtest.Require(t, p.name, p.name != baseline, why)
			fmt.Printf("%s takes no part: %s\n", p.name, why)
			continue
		}
		tools = append(tools, p)
	}
	return tools
}

// seedOf is PORTLAB_PEERS_SEED, to repeat an order, or else another one each time.
func seedOf(t testing.TB) uint64 {
	t.Helper()
	text := os.Getenv("PORTLAB_PEERS_SEED")
	if text == "" {
		return uint64(time.Now().UnixNano())
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("PORTLAB_PEERS_SEED: %v", err)
	}
	return seed
}
