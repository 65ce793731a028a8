package report

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
)

func TestMergedRunsAreOneLoad(t *testing.T) {
	for _, name := range []string{"balanced", "outside", "open"} {
		a, first := named(t, name).make()
		b, second := named(t, name).make()
		b.Run, b.Plan.Seed, b.Fleet[0].Address = "zzzzzz", 99, b.Fleet[1].Address
		merged, err := Merge([]*lab.Result{a, b})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all := lab.Concat(first, second)
		m := merged.Fold(all, merged.Accepted())
		if merged.Requests != 2*a.Requests || merged.Connections != 2*a.Connections || merged.Plan.Requests != 2*a.Plan.Requests ||
			merged.Client.CPU() != 2*a.Client.CPU() || merged.Client.Backlog != a.Client.Backlog ||
			merged.Client.Late != 2*a.Client.Late || merged.Client.Queued != 2*a.Client.Queued || merged.Client.ClosedFirst != 2*a.Client.ClosedFirst || merged.Timings.Load != 2*a.Timings.Load {
			t.Errorf("%s: not the sum of two of the same: %+v", name, merged)
		}
		for i, n := range m.Counts() {
			if n != 2*a.Instances[i].Connections {
				t.Errorf("%s: %d connections of %s, which had %d in each", name, n, a.Instances[i].Name, a.Instances[i].Connections)
			}
		}
		if merged.Latency.P50 != a.Latency.P50 || merged.Latency.Max != a.Latency.Max || merged.Latency.Count != 2*a.Latency.Count {
			t.Errorf("%s: latency %+v of two of %+v", name, merged.Latency, a.Latency)
		}
		if note := merged.Environment.Notes[len(merged.Environment.Notes)-1]; !strings.Contains(note, "k3f9a2, zzzzzz") {
			t.Errorf("%s: the note is %q", name, note)
		}
		dir := filepath.Join(t.TempDir(), "out")
		if err := Write(dir, merged, all); err != nil {
			t.Fatal(err)
		}
		if _, got, err := Read(dir); err != nil || got.Len() != 2*len(first) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRunsOfOtherTrialsAreNotMerged(t *testing.T) {
	for want, change := range map[string]func(*lab.Result){
		"strategy: dnat and nginx":                      func(r *lab.Result) { r.Strategy = "nginx" },
		"strategy: dnat and dnat:method=random":         func(r *lab.Result) { r.Name = "dnat:method=random" },
		"settings: - and checks=on,mode=tcp":            func(r *lab.Result) { r.Settings = map[string]string{"mode": "tcp", "checks": "on"} },
		"runtime: docker and netns":                     func(r *lab.Result) { r.Runtime = "netns" },
		"vantage: external and host":                    func(r *lab.Result) { r.Vantage = lab.OnHost },
		"server: portlab's own and web:1":               func(r *lab.Result) { r.Image = "web:1" },
		"processor: not emulated and emulated":          func(r *lab.Result) { r.Environment.Emulated = true },
		"foo 1, bar 1 and IPv4, foo 1, bar 2":           func(r *lab.Result) { r.Fleet[1].Weight = 2 },
		"IPv4, foo 1, bar 1 and IPv6":                   func(r *lab.Result) { r.Family = lab.IPv6 },
		"plan: closed loop, 300 requests":               func(r *lab.Result) { r.Plan.Timeout = time.Second },
		"way of counting: by the answers":               func(r *lab.Result) { r.CountedOutside = true },
		"GET /, -, -, - and closed loop, 300 requests,": func(r *lab.Result) { r.Plan.Host = "other.example" },
	} {
		a, _ := fixtures()[0].make()
		b, _ := fixtures()[0].make()
		change(b)
		_, err := Merge([]*lab.Result{a, b})
		if _, usage := errors.AsType[*lab.UsageError](err); !usage || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestMergedCostIsThatOfAllOrUnknown(t *testing.T) {
	a, _ := named(t, "proxy").make()
	b, _ := named(t, "proxy").make()
	b.Cost.ReplicasMemoryBytes *= 2
	merged, err := Merge([]*lab.Result{a, b})
	if err != nil {
		t.Fatal(err)
	}
	if c := merged.Cost; c.Client != 2*a.Cost.Client || c.Path() != 2*a.Cost.Path() || c.ReplicasMemoryBytes != b.Cost.ReplicasMemoryBytes {
		t.Errorf("the cost is %+v, of two of %+v", c, a.Cost)
	}
	b.Cost = nil
	if merged, err = Merge([]*lab.Result{a, b}); err != nil || merged.Cost != nil {
		t.Errorf("%v, the cost is %+v, and that of one run is not known", err, merged.Cost)
	}
}
