package lab_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
)

func TestImpairmentsAreReadAsTheyAreWritten(t *testing.T) {
	for text, want := range map[string]lab.Impairment{
		"none":               {},
		"delay=20ms":         {Delay: 20 * time.Millisecond},
		"loss=1%,delay=20ms": {Delay: 20 * time.Millisecond, LossPercent: 1},
		"delay=1s,jitter=1s": {Delay: time.Second, Jitter: time.Second},
		"rate=1.5mbit":       {Rate: 1_500_000},
		"rate=10gbit":        {Rate: 10_000_000_000},
		"loss=0.000001%":     {LossPercent: 1e-6},
		"delay=1ms,jitter=100us,loss=0.5%,duplicate=1%,corrupt=2%,reorder=25%,rate=1kbit,limit=10": {
			Delay: time.Millisecond, Jitter: 100 * time.Microsecond, LossPercent: 0.5, DuplicatePercent: 1, CorruptPercent: 2,
			ReorderPercent: 25, Rate: 1000, Limit: 10,
		},
	} {
		got, err := lab.ParseImpairment(text)
		if err != nil || got != want {
			t.Errorf("%q is %+v, error %v; want %+v", text, got, err, want)
		}
		if again, err := lab.ParseImpairment(got.String()); err != nil || again != got {
			t.Errorf("%q is written as %q, which is %+v, error %v", text, got, again, err)
		}
	}
}

func TestWhatIsNoImpairmentIsRefusedWithTheReason(t *testing.T) {
	for text, want := range map[string]string{
		"":                     "delay",
		"delay":                "a time with its unit",
		"delay=20":             "a time with its unit",
		"delay=-1ms":           "from 0s to 1m0s",
		"delay=61s":            "from 0s to 1m0s",
		"delay=1ms,delay=2ms":  "two of delay",
		"jitter=5ms":           "cannot be more",
		"delay=1ms,jitter=2ms": "cannot be more",
		"loss=1":               "a percentage",
		"loss=101%":            "to 100%",
		"loss=-1%":             "to 100%",
		"loss=NaN%":            "to 100%",
		"loss=0.0000001%":      "to 100%",
		"reorder=25%":          "give a delay",
		"rate=10":              "mbit",
		"rate=10mbps":          "mbit",
		"rate=-1mbit":          "mbit",
		"rate=11gbit":          "1kbit to 10gbit",
		"rate=0.5kbit":         "1kbit to 10gbit",
		"limit=0":              "a number of packets",
		"limit=1000001":        "1000000 packets",
		"speed=1":              `no "speed"`,
		"none,loss=1%":         `no "none"`,
		"delay=20ms,,loss=1%":  `no ""`,
		"delay=20ms,Loss=1%":   `no "Loss"`,
	} {
		_, err := lab.ParseImpairment(text)
		var usage *lab.UsageError
		if !errors.As(err, &usage) || !strings.Contains(usage.Problem, want) {
			t.Errorf("%q: error %v, want one with %q", text, err, want)
		}
	}
	if err := (lab.Impairment{LossPercent: math.NaN()}).Validate(); err == nil {
		t.Error("a loss of NaN is valid")
	}
}

func TestTimedImpairments(t *testing.T) {
	for text, want := range map[string]lab.TimedImpairment{
		"loss=1%":      {Impairment: lab.Impairment{LossPercent: 1}},
		"loss=10%@3s":  {At: 3 * time.Second, Impairment: lab.Impairment{LossPercent: 10}},
		"loss=10% @3s": {At: 3 * time.Second, Impairment: lab.Impairment{LossPercent: 10}},
		"none@1m0s":    {At: time.Minute},
	} {
		got, err := lab.ParseTimedImpairment(text)
		if err != nil || got != want || got.String() != strings.ReplaceAll(text, " ", "") {
			t.Errorf("%q is %+v, error %v; want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"@3s", "loss=1%@", "loss=1%@0s", "loss=1%@-1s", "loss=1%@3", "loss=1%@1s@2s", "loss=1%@25h", "loss=2"} {
		var usage *lab.UsageError
		if got, err := lab.ParseTimedImpairment(text); !errors.As(err, &usage) {
			t.Errorf("%q is %+v, error %v", text, got, err)
		}
	}
}

// What is read is valid, and is written so that it is read again as the same.
func FuzzParseTimedImpairment(f *testing.F) {
	for _, seed := range []string{
		"none", "delay=20ms,jitter=5ms,loss=1%", "delay=1.5us,reorder=25%,corrupt=0.1%@3s", "rate=1.0015mbit,limit=7", "loss=1e-3%", "delay=1h,loss=0x1p-2%", "rate=0.1gbit@1m1s",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := lab.ParseTimedImpairment(text)
		if err != nil {
			var usage *lab.UsageError
			if !errors.As(err, &usage) || got != (lab.TimedImpairment{}) && got.Impairment != (lab.Impairment{}) {
				t.Fatalf("%q is %+v with the error %v", text, got, err)
			}
			return
		}
		if err := got.Impairment.Validate(); err != nil {
			t.Errorf("%q is %+v: %v", text, got, err)
		}
		if again, err := lab.ParseTimedImpairment(got.String()); err != nil || again != got {
			t.Errorf("%q is written as %q, which is %+v, error %v", text, got, again, err)
		}
	})
}

// What a user pastes says the same to tc(8), both ways, and only what changes.
func TestImpairmentsByHand(t *testing.T) {
	e := lab.Explanation{
		Blueprint: lab.Blueprint{LAN: []lab.LinkEnd{{Name: "eth0", Shell: "ip netns exec client"}, {Name: "lan0"}}},
		Impairments: []lab.TimedImpairment{
			{Impairment: lab.Impairment{Delay: 20 * time.Millisecond, Jitter: 1500 * time.Nanosecond, LossPercent: 0.5, Rate: 2e6, Limit: 9}},
			{At: time.Second, Impairment: lab.Impairment{LossPercent: 100}},
			{At: 2 * time.Second},
		},
	}
	want := []string{
		"ip netns exec client tc qdisc add dev eth0 root netem limit 9 delay 20ms 1.5us loss 0.5% rate 2mbit",
		"tc qdisc add dev lan0 root netem limit 9 delay 20ms 1.5us loss 0.5% rate 2mbit",
	}
	if got := e.Commands(); !slices.Equal(got, want) {
		t.Errorf("the commands are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	course := map[time.Duration][]string{
		time.Second: {
			"ip netns exec client tc qdisc del dev eth0 root", "ip netns exec client tc qdisc add dev eth0 root netem limit 100000 loss 100%",
			"tc qdisc del dev lan0 root", "tc qdisc add dev lan0 root netem limit 100000 loss 100%",
		},
		2 * time.Second: {"ip netns exec client tc qdisc del dev eth0 root", "tc qdisc del dev lan0 root"},
	}
	for _, c := range e.Course() {
		if !slices.Equal(c.Shell, course[c.At]) {
			t.Errorf("after %s: %q, want %q", c.At, c.Shell, course[c.At])
		}
		delete(course, c.At)
	}
	if len(course) > 0 {
		t.Errorf("nothing is done at %v", course)
	}
}
