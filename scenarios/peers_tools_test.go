package scenarios_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/portlab/portlab/lab/labtest"
)

// offer is a load that is asked of every load generator.
type offer struct {
	concurrency int
	keepAlive   bool          // else a new connection for each request
	rate        float64       // of an open loop, requests per second; 0: closed loop
	lasts       time.Duration // how long requests are made
}

// peer is a load generator.
type peer struct {
	name string
	// words is its command line for a load; nil where it cannot offer it.
	words func(o offer, url string) []string
	read  func(output []byte) (outcome, error)
}

// baseline is the peer that the others are held against.
const baseline = "wrk"

// order is that of the rows.
var order = []string{"wrk", "ab", "hey", "vegeta", "fortio", "oha", "portlab"}

// peers are all that are compared, portlab among them. Each runs with what its
// manual says for such a load, and with no option for speed that the others lack.
func peers(t testing.TB) []peer {
	out := filepath.Join(t.TempDir(), "load")
	return []peer{
		{"wrk", wrk, readWrk},
		{"ab", ab, readAb},
		{"hey", hey, readHey},
		{"vegeta", vegeta, readVegeta},
		{"fortio", fortio, readFortio},
		{"oha", oha, readOha},
		{"portlab", func(o offer, url string) []string { return portlab(t, o, url, out) }, readPortlab},
	}
}

// wrk makes requests from one thread for each CPU, but not more than it has
// connections.
func wrk(o offer, url string) []string {
	if o.rate > 0 {
		return nil
	}
	words := []string{here("wrk"), fmt.Sprint("-t", min(o.concurrency, runtime.NumCPU())), fmt.Sprint("-c", o.concurrency),
		fmt.Sprintf("-d%.0fs", o.lasts.Seconds()), "--latency"}
	if !o.keepAlive {
		words = append(words, "-H", "Connection: close")
	}
	return append(words, url)
}

// ab makes at most so many requests as there are in the time: it takes memory
// for all of them beforehand.
func ab(o offer, url string) []string {
	if o.rate > 0 {
		return nil
	}
	words := []string{here("ab"), "-q", fmt.Sprint("-c", o.concurrency), fmt.Sprintf("-t%.0f", o.lasts.Seconds()), "-n1000000"}
	if o.keepAlive {
		words = append(words, "-k")
	}
	return append(words, url)
}

func hey(o offer, url string) []string {
	if o.rate > 0 {
		return nil
	}
	return []string{here("hey"), "-c", fmt.Sprint(o.concurrency), "-z", o.lasts.String(), fmt.Sprint("-disable-keepalive=", !o.keepAlive), url}
}

// vegeta is two programs: one makes the requests and the other one adds them up.
func vegeta(o offer, url string) []string {
	attack := fmt.Sprintf("echo GET %s | %s attack -duration %s -keepalive=%t -rate %.0f -workers %d -max-workers %[6]d",
		url, here("vegeta"), o.lasts, o.keepAlive, o.rate, o.concurrency)
	return []string{"sh", "-c", attack + " | " + here("vegeta") + " report -type=json"}
}

func fortio(o offer, url string) []string {
	return []string{here("fortio"), "load", "-quiet", "-allow-initial-errors", "-json", "-", "-p", "50,90,99,99.9",
		"-c", fmt.Sprint(o.concurrency), "-t", o.lasts.String(), "-qps", fmt.Sprint(o.rate), fmt.Sprint("-keepalive=", o.keepAlive), url}
}

// oha awaits what is under way at the end, which would else count as errors.
func oha(o offer, url string) []string {
	words := []string{here("oha"), "--no-tui", "--output-format", "json", "-w", "-c", fmt.Sprint(o.concurrency), "-z", o.lasts.String()}
	if !o.keepAlive {
		words = append(words, "--disable-keepalive")
	}
	if o.rate > 0 {
		words = append(words, "-q", fmt.Sprintf("%.0f", o.rate), "--latency-correction")
	}
	return append(words, url)
}

// portlab keeps every sample, in a folder on disk, and writes its report.
func portlab(t testing.TB, o offer, url, out string) []string {
	if err := os.RemoveAll(out); err != nil {
		t.Fatal(err)
	}
	words := []string{labtest.Binary(t), "load", url, "--client", "raw", "--concurrency", fmt.Sprint(o.concurrency),
		"--duration", o.lasts.String(), "--out", out, "--quiet", "--format", "json"}
	if o.keepAlive {
		words = append(words, "--keep-alive")
	}
	if o.rate > 0 {
		words = append(words, "--rate", fmt.Sprint(o.rate))
	}
	return words
}

// here is where a peer's program is, if it is installed.
func here(name string) string { return filepath.Join(os.Getenv("PORTLAB_PEERS"), name) }

// missing is why a peer cannot take part, as .ci/peers found; empty: it can.
func (p peer) missing() string {
	if p.name == "portlab" {
		return ""
	}
	if _, err := os.Stat(here(p.name)); err == nil {
		return ""
	}
	reason, err := os.ReadFile(here(p.name) + ".missing")
	if err != nil {
		return "it is not in " + os.Getenv("PORTLAB_PEERS")
	}
	return string(bytes.TrimSpace(reason))
}
