package strategies

import (
	"context"
	"fmt"
	"strconv"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/step"
)

func init() { register(dnatArticle{}) }

// dnatArticle is the recipe from which this kind of balancing is best known,
// rule for rule, with its faults: see its caveats.
type dnatArticle struct{}

func (dnatArticle) Name() string { return "dnat-article" }

func (dnatArticle) About() lab.About {
	return lab.About{
		Summary: "a trap: the well-known recipe of iptables as published, which also catches what the host and its containers send elsewhere",
		Path: []string{
			"nat/OUTPUT takes every packet that the host sends to the front's port, whoever it is for; nat/PREROUTING every one that comes in by any link.",
			"Each rule takes it with its probability, by the statistic match, and rewrites its destination to one replica.",
			"filter/FORWARD accepts everything that is forwarded, by its first rule.",
			"Conntrack remembers the choice for the connection.",
		},
		Caveats: []string{
			"What the host and the replicas send to the front's port of anybody else is caught, too: no rule names the front's address.",
			"The first rule of FORWARD lets everything through, whatever firewall rules follow.",
			"Rules are put first one by one, so they are walked in the reverse order; the article's two have 0.5 and 1.0, and ten with 10% each favour the last by far (dnat-naive).",
			"What the kernel tracks is left behind: connections to a replica that has gone stay with it.",
			"No rule carries a mark of who made it; the article takes them away by their place in the chain, and a rule that came in between goes instead.",
		},
		Sources: []string{
			"https://iximiuz.com/en/posts/multiple-containers-same-port-reverse-proxy/",
			"iptables-extensions(8): statistic, DNAT",
		},
	}
}

// Warning says what is wrong with it.
func (dnatArticle) Warning() string {
	return "dnat-article is wrong on purpose: it catches what the host and its containers send to the same port elsewhere, and lets everything be forwarded; use dnat"
}

// Needs asks for a host of the run's own: on any other, the rules would catch
// what is none of the run's affair.
func (dnatArticle) Needs() lab.Needs {
	const noMasquerade = "the article has no rule for it: "
	return lab.Needs{
		Placement: lab.OwnNetns, OwnHost: true, Root: true, Null: lab.Random,
		Probes: []lab.Probe{iptables(), onlyIPv4()},
		NotFrom: map[lab.Vantage]string{
			lab.Localhost: noMasquerade + "without route_localnet and a masquerade nothing from a loopback address is answered",
			lab.Peer:      noMasquerade + "without a masquerade the replica that is chosen answers its neighbour directly, which does not know it",
		},
		NotFor: map[lab.Protocol]string{lab.UDP: "the article's rules are of TCP alone"},
	}
}

func (dnatArticle) Steps(f lab.Facts, front lab.Front, to []lab.Replica) ([]lab.Step, error) {
	if len(to) == 0 {
		return nil, errNoReplica
	}
	rule := func(table, chain string, words ...string) lab.Step {
		return step.Rule{Family: f.Family, Table: table, Chain: chain, Spec: words}
	}
	steps := []lab.Step{rule("filter", "FORWARD", "-j", "ACCEPT")}
	for _, chain := range []string{"OUTPUT", "PREROUTING"} {
		for i, r := range to {
			steps = append(steps, rule("nat", chain, "-p", "tcp", "--dport", fmt.Sprint(front.Port),
				"-m", "statistic", "--mode", "random", "--probability", articleShare(i, len(to)),
				"-j", "DNAT", "--to-destination", r.Address.String()))
		}
	}
	return steps, nil
}

// articleShare is the probability of the i-th of n rules: the one that is put
// there first ends up last, and takes what is left over.
func articleShare(i, n int) string {
	if i == 0 {
		return "1.0"
	}
	return strconv.FormatFloat(1/float64(n), 'g', 2, 64)
}

// onlyIPv4 says that the recipe has nothing for IPv6.
func onlyIPv4() lab.Probe {
	return lab.Probe{Name: "IPv4", Check: func(_ context.Context, _ lab.Host, ip lab.Family) error {
		if ip != lab.IPv6 {
			return nil
		}
		return &lab.UnsupportedError{What: "IPv6", Reason: "the article's rules are of iptables, not of ip6tables", Remedy: "leave --ip out, or use dnat"}
	}}
}
