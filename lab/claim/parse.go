package claim

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/portlab/portlab/lab"
)

// Form is a way to write a claim on the command line.
type Form struct {
	Text    string // what is typed
	Meaning string // one line
}

// Forms lists how claims are written, in the order in which help shows them.
func Forms() []Form {
	return []Form{
		{"shares", "every instance's share of the connections is within 20% of its expected share"},
		{"share within 10%", "the same with another tolerance, relative to the expected share"},
		{"no loss", "no request fails"},
		{"every instance answers", "no instance is left without a connection"},
		{"order", "the order of the instances fits the strategy: random, in turn, or one only"},
		{"latency independent", "latency does not depend on the instance that answers"},
		{"client address kept", "the replicas see the client's own address"},
		{"sticky by client", "every client address always gets the same instance; it takes several addresses (--clients)"},
		{"at most 1.5 times the baseline", "the median latency is at most so many times the baseline's (portlab compare)"},
		{"p99 at most 2 times client-side", "the same of another metric, and of another arm"},
	}
}

// plain are the forms without a number, and other ways to say the same.
var plain = map[string]lab.Claim{
	"shares":                    Shares{TolerancePercent: DefaultTolerancePercent},
	"no loss":                   NoLoss{},
	"nothing lost":              NoLoss{},
	"every instance answers":    EveryInstance{},
	"nobody starved":            EveryInstance{},
	"order":                     Order{},
	"latency independent":       LatencyIndependent{},
	"client address kept":       AddressKept{},
	"sticky by client":          StickyByClient{},
	NoLoss{}.Name():             NoLoss{},
	EveryInstance{}.Name():      EveryInstance{},
	Order{}.Name():              Order{},
	LatencyIndependent{}.Name(): LatencyIndependent{},
	AddressKept{}.Name():        AddressKept{},
	StickyByClient{}.Name():     StickyByClient{},
}

var shareForm = regexp.MustCompile(`^(?:every )?shares? within (\d{1,3}(?:\.\d{1,6})?) ?%(?: of its expected share)?$`)

// Parse reads a claim as it is written on the command line: one of [Forms], or
// a claim's own name. Case and spacing do not matter. What is no claim is a
// [lab.UsageError] that lists the forms.
func Parse(s string) (lab.Claim, error) {
	text := strings.Join(strings.Fields(strings.ToLower(s)), " ")
	if c, ok := plain[text]; ok {
		return c, nil
	}
	if c, ok, err := parseAtMost(text); ok {
		if err != nil {
			return nil, err
		}
		return c, nil
	}
	m := shareForm.FindStringSubmatch(text)
	if m == nil {
		return nil, lab.Usagef("unknown claim %q: use %s", s, formList())
	}
	percent, err := strconv.ParseFloat(m[1], 64)
	if err != nil || percent <= 0 || percent > 100 {
		return nil, lab.Usagef("the tolerance of a share must be above 0%% and at most 100%%, not %s%%: write \"share within 10%%\"", m[1])
	}
	return Shares{TolerancePercent: percent}, nil
}

func formList() string {
	var all []string
	for _, f := range Forms() {
		all = append(all, strconv.Quote(f.Text))
	}
	last := len(all) - 1
	return strings.Join(all[:last], ", ") + " or " + all[last]
}
