package report

import (
	"bytes"
	"encoding/csv"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
)

func TestSummaryCSVHasARowForAllAndEach(t *testing.T) {
	for _, f := range fixtures() {
		r := first(f.make())
		var b bytes.Buffer
		if err := SummaryCSV(&b, r); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(&b).ReadAll() // which wants as many fields in each row
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) != 2+len(r.Instances) {
			t.Errorf("%s: %d rows for %d instances", f.name, len(rows), len(r.Instances))
		}
		sum := 0.0
		for _, row := range rows[2:] {
			x, err := strconv.ParseFloat(row[8], 64)
			if err != nil {
				t.Fatal(err)
			}
			sum += x
		}
		if want := 1.0; served(r) && (sum < want-1e-9 || sum > want+1e-9) {
			t.Errorf("%s: the shares sum up to %v", f.name, sum)
		}
	}
}

func TestSummaryIsMarkdownThatHasNoPicture(t *testing.T) {
	for _, f := range fixtures() {
		var b bytes.Buffer
		if err := Summary(&b, first(f.make())); err != nil {
			t.Fatal(err)
		}
		if d := parse(t, b.Bytes()); d.kinds["Image"] > 0 || d.kinds["Table"] == 0 {
			t.Errorf("%s: it has %v", f.name, d.kinds)
		}
	}
}

func TestCostIsByRequestAndInAll(t *testing.T) {
	r := &lab.Result{Requests: 1000, Cost: &lab.Cost{
		Client: time.Second, Sidecars: 2 * time.Second, Rest: 500 * time.Millisecond, Replicas: 250 * time.Millisecond,
		ReplicasMemoryBytes: 3 << 20, SidecarsMemoryBytes: 1000,
	}}
	want := "CPU a request: client 1.00 ms, path 2.50 ms, replicas 250 µs, memory: replicas 3.00 MiB, proxies 0.977 KiB"
	if got := costs(r); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	short := *r.Cost
	short.Rest = 30 * time.Millisecond // three ticks of the machine's clock
	for sidecars, want := range map[time.Duration]string{2 * time.Second: "path 2.00 ms", 0: "path too little to be told"} {
		short.Sidecars = sidecars
		if got := costs(&lab.Result{Requests: 1000, Cost: &short}); !strings.Contains(got, want) {
			t.Errorf("%s\nwant %q in it", got, want)
		}
	}
	p := &page{}
	p.cost(r)
	for _, want := range []string{"| client ", "1.00 s", "path: proxies", "2.00 s", "500 ms", "250 ms"} {
		if !strings.Contains(p.String(), want) {
			t.Errorf("no %q in\n%s", want, p)
		}
	}
	r.Cost = nil
	if costs(r) != "" {
		t.Error("there is a cost of what nobody measured")
	}
}
