package lab

import (
	"errors"
	"testing"
	"time"
)

func TestPlanThatCannotBeCarriedOutIsAUsageError(t *testing.T) {
	good := DefaultPlan()
	good.Requests = 1
	for name, change := range map[string]func(*Plan){
		"the least":         func(*Plan) {},
		"the most":          func(p *Plan) { p.Requests, p.Concurrency, p.Timeout = MaxRequests, 10_000, time.Hour },
		"a query":           func(p *Plan) { p.Path = "/?delay=5ms" },
		"more workers":      func(p *Plan) { p.Concurrency = 2 },
		"!no requests":      func(p *Plan) { p.Requests = 0 },
		"!fewer requests":   func(p *Plan) { p.Requests = -1 },
		"!many requests":    func(p *Plan) { p.Requests = MaxRequests + 1 },
		"!no workers":       func(p *Plan) { p.Concurrency = 0 },
		"!many workers":     func(p *Plan) { p.Concurrency = 10_001 },
		"!no time":          func(p *Plan) { p.Timeout = 0 },
		"!less than none":   func(p *Plan) { p.Timeout = -time.Second },
		"!no path":          func(p *Plan) { p.Path = "" },
		"!a relative path":  func(p *Plan) { p.Path = "index.html" },
		"!another scheme's": func(p *Plan) { p.Path = "http://127.0.0.1/" },
	} {
		p := good
		change(&p)
		err := p.Validate()
		if name[0] != '!' {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if _, usage := errors.AsType[*UsageError](err); !usage {
			t.Errorf("%s: got %v, want a usage error", name, err)
		}
	}
}
