package report

import (
	"strings"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
)

func TestAPlanInWords(t *testing.T) {
	for want, change := range map[string]func(*lab.Plan){
		"closed loop, 300 requests, 1 worker, timeout 2s, GET /": func(*lab.Plan) {},
		"closed loop, until the shares are settled, at most 300 requests, 2 workers, timeout 2s, GET /": func(p *lab.Plan) {
			p.UntilSettled, p.Concurrency = true, 2
		},
		"open loop, requests for 10s, 2,500 a second, evenly spaced, at most 1,000 at a time, on connections that are kept, timeout 2s, GET /": func(p *lab.Plan) {
			p.Requests, p.Duration, p.Rate, p.Concurrency, p.PerConnection = 0, 10*time.Second, 2500, 1000, 0
		},
		"closed loop, 300 requests or those of 1m0s, whichever ends first, 4 workers, growing over 5s, after a warm-up of 1s, " +
			"10 on each connection, closed by the client first, from 50 addresses, timeout 2s, GET /": func(p *lab.Plan) {
			p.Duration, p.Concurrency, p.Ramp, p.WarmUp, p.PerConnection = time.Minute, 4, 5*time.Second, time.Second, 10
			p.CloseFirst, p.Clients = lab.ClientEnd, 50
		},
		"open loop, 300 requests, 0.5 a second, at random times (Poisson), at most 1 at a time, on connections that are kept, " +
			"100 at a time on each, timeout 2s, GET / over HTTP/2": func(p *lab.Plan) {
			p.Rate, p.Arrivals, p.Protocol, p.Streams, p.PerConnection = 0.5, lab.Poisson, lab.HTTP2, 100, 0
		},
		"closed loop, 300 requests, 1 worker, 5 from each socket, timeout 2s, a datagram for /": func(p *lab.Plan) {
			p.Protocol, p.PerConnection = lab.UDP, 5
		},
	} {
		p := lab.DefaultPlan()
		p.Requests = 300
		change(&p)
		if got := load(p); got != want {
			t.Errorf("%s\nwant: %s", got, want)
		}
		if usual := strings.HasSuffix(want, "1 worker, timeout 2s, GET /"); plain(p) != usual {
			t.Errorf("%s: it is the usual one: %v", want, plain(p))
		}
	}
}

func TestWhatCastsDoubtComesBeforeTheFigures(t *testing.T) {
	r, all := named(t, "open").make()
	shown := shownText(t, r, false)
	warning, counts := strings.Index(shown, "warning: the client itself was late"), strings.Index(shown, "instance ")
	if warning < 0 || counts < warning {
		t.Errorf("the warning is at %d, the counts are at %d:\n%s", warning, counts, shown)
	}
	page := string(markdown(t, r, all))
	warning, counts = strings.Index(page, "- the client itself was late"), strings.Index(page, "## Verdict")
	if warning < 0 || counts < warning {
		t.Errorf("the warning is at %d, the verdict at %d", warning, counts)
	}
}

// Latency with and without the client's own queue stand side by side, and only
// where they differ.
func TestResponseIsShownWhereItDiffers(t *testing.T) {
	const response, lag = "all, from begun", "lag until begun"
	for name, want := range map[string]bool{"open": true, "balanced": false, "datagrams": false} {
		r, _ := named(t, name).make()
		shown := shownText(t, r, false)
		if strings.Contains(shown, response) != want || strings.Contains(shown, lag) != want {
			t.Errorf("%s: it is shown: %v", name, !want)
		}
	}
	r, _ := named(t, "balanced").make()
	r.Lag.P99 = 2 * lab.LateAfter // a closed loop whose client was late
	if !strings.Contains(shownText(t, r, false), response) {
		t.Error("the lag of a closed loop is not shown")
	}
}

func TestTextSaysWhatDatagramsDid(t *testing.T) {
	r, _ := named(t, "datagrams").make()
	if want := "15 of 1,000 without an answer in time (1.5%), 5 duplicates, 9 reordered"; !strings.Contains(shownText(t, r, false), want) {
		t.Errorf("no %q", want)
	}
}

func named(t *testing.T, name string) fixture {
	t.Helper()
	for _, f := range fixtures() {
		if f.name == name {
			return f
		}
	}
	t.Fatalf("there is no fixture %s", name)
	return fixture{}
}
