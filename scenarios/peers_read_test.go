package scenarios_test

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// What the tools printed is read right. The files of testdata/peers are what
// they printed against http_server at concurrency 16, and, named faults,
// against a server that answers 200, 503, 200 and nothing in turn at
// concurrency 4; vegeta's is the example of its manual.
func TestOutputsOfPeers(t *testing.T) {
	const ms, us = time.Millisecond, time.Microsecond
	for _, c := range []struct {
		file string
		read func([]byte) (outcome, error)
		want outcome
	}{
		{"wrk.txt", readWrk, outcome{answered: 21851, elapsed: 2006678 * us,
			quantiles: map[float64]time.Duration{50: 807 * us, 90: 1980 * us, 99: 4630 * us}}},
		{"wrk-faults.txt", readWrk, outcome{answered: 1097, failed: 548 + 549, elapsed: 1006805 * us,
			quantiles: map[float64]time.Duration{50: 1470 * us, 90: 3670 * us, 99: 9350 * us}}},
		{"ab.txt", readAb, outcome{answered: 15867, elapsed: 2001 * ms,
			quantiles: map[float64]time.Duration{50: 2 * ms, 90: 3 * ms, 99: 6 * ms}}},
		{"ab-faults.txt", readAb, outcome{answered: 500, failed: 500, elapsed: 426 * ms,
			quantiles: map[float64]time.Duration{50: 1 * ms, 90: 3 * ms, 99: 5 * ms}}},
		{"hey.txt", readHey, outcome{answered: 14691, elapsed: 2003600 * us,
			quantiles: map[float64]time.Duration{50: 1600 * us, 90: 4700 * us, 99: 9 * ms}}},
		{"hey-faults.txt", readHey, outcome{answered: 870, failed: 435 + 435, elapsed: 1004599 * us,
			quantiles: map[float64]time.Duration{50: 2100 * us, 90: 3600 * us, 99: 7200 * us}}},
		{"vegeta.json", readVegeta, outcome{answered: 100, elapsed: 993507 * us,
			quantiles: map[float64]time.Duration{50: 2854 * us, 99: 3530 * us}}},
		{"fortio.json", readFortio, outcome{answered: 24186, elapsed: 2000526 * us,
			quantiles: map[float64]time.Duration{50: 971 * us, 90: 2504 * us, 99: 6426 * us, 99.9: 11469 * us}}},
		{"fortio-faults.json", readFortio, outcome{answered: 990, failed: 495 + 496, elapsed: 1002274 * us,
			quantiles: map[float64]time.Duration{50: 1720 * us, 90: 3450 * us, 99: 6523 * us, 99.9: 18012 * us}}},
		{"oha.json", readOha, outcome{answered: 16161, elapsed: 2001466 * us,
			quantiles: map[float64]time.Duration{50: 1526 * us, 90: 3269 * us, 99: 9404 * us, 99.9: 36223 * us}}},
		{"oha-faults.json", readOha, outcome{answered: 920, failed: 460 + 460, elapsed: 1004415 * us,
			quantiles: map[float64]time.Duration{50: 1588 * us, 90: 4501 * us, 99: 7750 * us, 99.9: 10089 * us}}},
	} {
		got, err := c.read(testdata(t, c.file))
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		for q, d := range got.quantiles {
			got.quantiles[q] = d.Truncate(us)
		}
		if got.answered != c.want.answered || got.failed != c.want.failed || got.elapsed.Truncate(us) != c.want.elapsed ||
			!maps.Equal(got.quantiles, c.want.quantiles) {
			t.Errorf("%s: %+v\nwant %+v", c.file, got, c.want)
		}
	}
}

// Output of another kind is an error, and never a figure: a tool that could
// not connect, an object of another version, nothing.
func TestOutputsThatAreNone(t *testing.T) {
	for name, p := range map[string]func([]byte) (outcome, error){
		"wrk": readWrk, "ab": readAb, "hey": readHey, "vegeta": readVegeta, "fortio": readFortio, "oha": readOha, "portlab": readPortlab,
	} {
		for _, out := range []string{"", "{}", "unable to connect to 127.0.0.1:8080 Connection refused\n", `{"requests": 5}`} {
			if o, err := p([]byte(out)); err == nil {
				t.Errorf("%s reads %q as %+v", name, out, o)
			}
		}
	}
}

func testdata(t *testing.T, name string) []byte {
	t.Helper()
	out, err := os.ReadFile(filepath.Join("testdata", "peers", name))
	if err != nil {
		t.Fatal(err)
	}
	return out
}
