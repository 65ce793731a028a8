package scenarios_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
)

// BenchmarkMillion makes a hundred thousand requests and then a million, on
// kept connections, and keeps every sample. Nothing may be lost, by the
// server's own count, and memory must not grow with the number of samples:
// ten times as many take at most memoryFactor times as much.
func BenchmarkMillion(b *testing.B) {
	for b.Loop() {
		few := keep(b, 100_000)
		many := keep(b, 1_000_000)
		fmt.Printf("%s\n%s\n", few, many)
		if float64(many.memory) > memoryFactor*float64(few.memory) {
			b.Errorf("a million samples take %d MiB of memory, a tenth of them %d MiB", many.memory>>20, few.memory>>20)
		}
		b.ReportMetric(float64(many.memory)/float64(few.memory), "memory-ratio")
		b.ReportMetric(float64(many.samples)/float64(many.requests), "disk-B/sample")
		b.ReportMetric(float64(many.requests)/many.took.Seconds(), "req/s")
	}
}

// memoryFactor leaves room for what does not depend on the samples: when the
// collector of garbage last ran, and the display's histograms.
const memoryFactor = 1.5

// kept is what keeping the samples of a load cost.
type kept struct {
	requests int
	took     time.Duration
	memory   int64 // most resident memory of all of portlab's processes together, bytes
	parts    string
	samples  int64 // of the files with the samples, bytes
	folder   int64 // of the whole folder, bytes
}

func (k kept) String() string {
	return fmt.Sprintf("%d requests in %s: at most %d MiB resident (%s), samples %.1f MiB on disk (%.1f bytes each), folder %.1f MiB",
		k.requests, k.took.Round(time.Millisecond), k.memory>>20, k.parts, float64(k.samples)/(1<<20),
		float64(k.samples)/float64(k.requests), float64(k.folder)/(1<<20))
}

// keep makes so many requests and keeps them.
func keep(b *testing.B, requests int) kept {
	b.Helper()
	a := newArena(b)
	defer a.close(b)
	out := filepath.Join(b.TempDir(), "load")
	watch := watchMemory(labtest.Binary(b))
	text, _, err := a.command(5*time.Minute, labtest.Binary(b), "load", arenaAddress+"/", "--client", "raw", "--concurrency", "16",
		"--keep-alive", "--requests", strconv.Itoa(requests), "--out", out, "--quiet", "--format", "json")
	peak := watch()
	if err != nil {
		b.Fatal(err)
	}
	var r lab.Result
	if err := json.Unmarshal(text, &r); err != nil {
		b.Fatal(err)
	}
	served, _, err := a.served()
	if err != nil {
		b.Fatal(err)
	}
	// More than was counted is asked only to see whether the server answers.
	if r.Requests != requests || len(r.Faults) > 0 || served < requests {
		b.Errorf("%d requests were to be made: %d samples with faults %v, and the server counts %d", requests, r.Requests, r.Faults, served)
	}
	k := kept{requests: requests, took: r.Elapsed}
	for _, p := range peak {
		k.memory += p.bytes
		k.parts = strings.TrimPrefix(fmt.Sprintf("%s, %s %d MiB", k.parts, p.name, p.bytes>>20), ", ")
	}
	k.samples, k.folder = sizes(b, out)
	return k
}

// sizes adds up the files of a report's folder, those with samples apart.
func sizes(b *testing.B, folder string) (samples, all int64) {
	b.Helper()
	err := filepath.WalkDir(folder, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		all += info.Size()
		if strings.HasPrefix(d.Name(), "samples") {
			samples += info.Size()
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	if samples == 0 {
		b.Errorf("no file of samples is in %s", folder)
	}
	return samples, all
}

// resident is a process and the most memory that it had resident at once.
type resident struct {
	name  string
	bytes int64
}

// watchMemory looks at all processes of a program every few milliseconds,
// until it is asked for what it saw. The kernel keeps the maximum of each
// process itself, so only its last moments can be missed.
func watchMemory(program string) (stop func() []resident) {
	done, seen := make(chan struct{}), make(chan []resident)
	go func() {
		peak := map[int]resident{}
		for {
			select {
			case <-done:
				seen <- slices.Collect(maps.Values(peak))
				return
			case <-time.After(10 * time.Millisecond):
				maps.Copy(peak, processesOf(program))
			}
		}
	}()
	return func() []resident {
		close(done)
		return <-seen
	}
}

// processesOf finds the processes of a program, and the high-water mark of
// their resident memory (proc_pid_status(5), VmHWM).
func processesOf(program string) map[int]resident {
	found := map[int]resident{}
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	for _, link := range links {
		// A process may end between any two of these.
		if path, err := os.Readlink(link); err != nil || path != program {
			continue
		}
		status, err := os.ReadFile(filepath.Join(filepath.Dir(link), "status"))
		if err != nil {
			continue
		}
		words, err := os.ReadFile(filepath.Join(filepath.Dir(link), "cmdline"))
		if err != nil {
			continue
		}
		pid, errPid := strconv.Atoi(filepath.Base(filepath.Dir(link)))
		kib, errSize := highWater(string(status))
		if args := strings.Split(string(words), "\x00"); errPid == nil && errSize == nil && len(args) > 1 {
			found[pid] = resident{args[1], kib << 10}
		}
	}
	return found
}

// highWater reads VmHWM, in KiB.
func highWater(status string) (int64, error) {
	for line := range strings.Lines(status) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
		}
	}
	return 0, fmt.Errorf("no VmHWM")
}
