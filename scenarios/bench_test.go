package scenarios_test

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
)

// BenchmarkMainJob measures the main job, whole process, against the same done
// by hand, interleaved: what the engine's own commands take for the same
// containers, and what the article's way takes, with its loop of 300 curls.
// Medians over b.N rounds; a ratio below one means that portlab is faster.
func BenchmarkMainJob(b *testing.B) {
	bench(b, "docker")
	dir := workbench(b)
	var whole, engine, article []float64
	for b.Loop() {
		whole = append(whole, seconds(b, func() {
			run := exec.Command(labtest.Binary(b), "run", "dnat", "--replicas", "2", "--requests", "300", "--no-report", "--quiet", "--runtime", "docker")
			if out, err := run.CombinedOutput(); err != nil {
				b.Fatalf("%v\n%s", err, out)
			}
		}))
		e, a := byHand(b, dir)
		engine, article = append(engine, e), append(article, a)
	}
	b.ReportMetric(median(whole), "s/run")
	b.ReportMetric(median(engine), "s/engine")
	b.ReportMetric(median(article), "s/article")
	b.ReportMetric(median(whole)/median(engine), "run/engine")
	b.ReportMetric(median(whole)/median(article), "run/article")
}

// byHand does the main job as explain prints it, one command after the other,
// and the article's loop in the middle. It gives the time of the engine's
// commands, and of everything.
func byHand(b *testing.B, dir string) (engine, all float64) {
	b.Helper()
	x := explain(b, "dnat", "--runtime", "docker")
	one := func(line string) {
		took := seconds(b, func() { paste(b, dir, []string{line}) })
		all += took
		if strings.Contains(line, "docker ") {
			engine += took
		}
	}
	for _, line := range x.Shell {
		one(line)
	}
	loop := fmt.Sprintf("ip netns exec %s sh -c 'for i in $(seq 300); do curl -s -m 5 http://%s/; done' | sort | uniq -c",
		x.Facts.Run.Object("client"), x.Front.At(lab.External))
	one(loop)
	for _, line := range x.Undo {
		one(line)
	}
	return engine, all
}

func seconds(b *testing.B, f func()) float64 {
	b.Helper()
	begun := time.Now()
	f()
	return time.Since(begun).Seconds()
}

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	return (x[(len(x)-1)/2] + x[len(x)/2]) / 2
}
