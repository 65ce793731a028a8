package strategies

import (
	"strconv"

	"github.com/portlab/portlab/lab"
)

func init() { register(dnatInTurn{}) }

// dnatInTurn has iptables take turns, by the nth mode of the statistic match.
type dnatInTurn struct{}

func (dnatInTurn) Name() string { return "dnat-in-turn" }

func (dnatInTurn) About() lab.About {
	return lab.About{
		Summary: "iptables takes turns and rewrites the destination",
		Path:    natPath(),
		Caveats: []string{"The turns are those of new connections, not of requests."},
		Sources: []string{"iptables-extensions(8): statistic, --mode nth"},
	}
}

func (dnatInTurn) Needs() lab.Needs {
	return lab.Needs{
		Placement: lab.OwnNetns, Root: true, Null: lab.RoundRobin,
		Probes: []lab.Probe{iptables()}, NotFromIPv6: notFromLoopbackIPv6(),
	}
}

// Workers is one: the kernel keeps one count for all processors.
func (dnatInTurn) Workers() int { return 1 }

// Steps gives the i-th rule every (n-i)-th of the connections that get to it:
// every third, then every second of the rest, then all.
func (dnatInTurn) Steps(f lab.Facts, front lab.Front, to []lab.Replica) ([]lab.Step, error) {
	var rules [][]string
	for i, r := range to {
		rules = append(rules, []string{
			"-p", f.Transport, "-m", "statistic", "--mode", "nth", "--every", strconv.Itoa(len(to) - i), "--packet", "0",
			"-j", "DNAT", "--to-destination", r.Address.String(),
		})
	}
	return expose(f, front, to, rules)
}
