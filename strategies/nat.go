package strategies

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"strconv"
	"strings"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/step"
)

var (
	errNoReplica = errors.New("there is no replica to send to")
	errNoAddress = errors.New("the front has no address that the nat table can serve")
)

// The parts that strategies on the nat table of iptables(8) share.

// iptables asks whether the packet filter is there and may be used.
func iptables() lab.Probe {
	return lab.Probe{Name: "iptables", Check: func(_ context.Context, h lab.Host, ip lab.Family) error {
		rules, err := h.Rules(ip)
		if err != nil {
			return err
		}
		ok, err := rules.HasChain("nat", "PREROUTING")
		if err != nil {
			return err
		}
		if !ok {
			module := "iptable_nat"
			if ip == lab.IPv6 {
				module = "ip6table_nat"
			}
			return &lab.UnsupportedError{
				What: "iptables", Reason: fmt.Sprintf("the kernel has no nat table for IPv%d", ip),
				Remedy: "load the module: modprobe " + module + ", or nft_chain_nat with iptables-nft",
			}
		}
		return nil
	}}
}

// cascade is the rules that pick a replica: the i-th rule is reached by what
// the rules before it left over and takes the i-th probability of that; the
// last takes the rest.
func cascade(f lab.Facts, to []lab.Replica, probability []*big.Rat) [][]string {
	var rules [][]string
	for i, r := range to {
		words := []string{"-p", f.Transport}
		if i < len(to)-1 {
			// As many digits as kube-proxy writes; the kernel keeps 31 bits.
			words = append(words, "-m", "statistic", "--mode", "random", "--probability", probability[i].FloatString(11))
		}
		rules = append(rules, append(words, "-j", "DNAT", "--to-destination", r.Address.String()))
	}
	return rules
}

// fair gives the probabilities that spread by weight: the i-th replica gets
// its weight out of the weights from the i-th on. With equal weights that is
// 1/n, 1/(n-1), ..., 1.
func fair(to []lab.Replica) []*big.Rat {
	p := make([]*big.Rat, len(to))
	left := new(big.Rat)
	for i := len(to) - 1; i >= 0; i-- {
		w := new(big.Rat).SetFloat64(to[i].Weight)
		left.Add(left, w)
		p[i] = w.Quo(w, left)
	}
	return p
}

// expose leads what is meant for the front, and nothing else, through a chain
// of the run's own with these rules.
func expose(f lab.Facts, front lab.Front, to []lab.Replica, rules [][]string) ([]lab.Step, error) {
	if len(to) == 0 {
		return nil, errNoReplica
	}
	front = served(front)
	if len(front.Endpoints()) == 0 {
		return nil, errNoAddress
	}
	chain := f.Run.Chain("DNAT")
	n := nat{facts: f, chain: chain, to: to}
	steps := []lab.Step{
		step.Chain{Family: f.Family, Table: "nat", Name: chain, Rules: rules},
		step.Flows{Transport: f.Transport, Front: front.Endpoints(), Replicas: addresses(to)},
	}
	if front.Loopback.IsValid() {
		steps = append(steps, n.fromLoopback(netip.AddrPortFrom(front.Loopback, front.Port))...)
	}
	if front.Address.IsValid() {
		steps = append(steps, n.fromAddress(netip.AddrPortFrom(front.Address, front.Port))...)
	}
	if f.Transport == "udp" {
		steps = append(steps, step.Retrack{Transport: f.Transport, Front: front.Endpoints()})
	}
	return steps, nil
}

// served is the part of a front that rules can lead on.
func served(front lab.Front) lab.Front {
	if front.Loopback.Is6() {
		front.Loopback = netip.Addr{}
	}
	return front
}

// notFromLoopbackIPv6 is why ::1 is not served.
func notFromLoopbackIPv6() map[lab.Vantage]string {
	return map[lab.Vantage]string{
		lab.Localhost: "IPv6 has nothing like route_localnet, so nothing from ::1 can leave the loopback link and be answered",
	}
}

// nat makes the steps that lead to a chain and back.
type nat struct {
	facts lab.Facts
	chain string
	to    []lab.Replica
}

func (n nat) rule(table, chain string, spec ...string) step.Rule {
	return step.Rule{Run: n.facts.Run, Family: n.facts.Family, Table: table, Chain: chain, Spec: spec}
}

// enter matches the front exactly: its address, its port, and only while the
// address is the host's own.
func (n nat) enter(hook string, at netip.AddrPort) step.Rule {
	return n.rule("nat", hook, "-d", at.Addr().String(), "-p", n.facts.Transport, "--dport", port(at),
		"-m", "addrtype", "--dst-type", "LOCAL", "-j", n.chain)
}

// connections matches what was sent to the front and translated.
func (n nat) connections(at netip.AddrPort) []string {
	return []string{"-p", n.facts.Transport, "-m", "conntrack", "--ctstate", "DNAT",
		"--ctorigdst", at.Addr().String(), "--ctorigdstport", port(at)}
}

// fromAddress serves clients of the host's address: other machines, the host
// itself, and the replicas, whose answers must come back by the host.
func (n nat) fromAddress(at netip.AddrPort) []lab.Step {
	var steps []lab.Step
	if n.facts.ForwardChain != "" {
		steps = append(steps, n.accept(at))
	}
	back := append([]string{"-s", n.facts.Subnet.String(), "-o", n.facts.Bridge}, n.connections(at)...)
	return append(append(steps, hairpin(n.facts, n.to)...),
		n.rule("nat", "POSTROUTING", append(back, "-j", "MASQUERADE")...),
		n.enter("PREROUTING", at),
		n.enter("OUTPUT", at),
	)
}

// hairpin lets a replica that calls the front get itself. On links on a parent
// there is nothing to let: what goes there by way of the host is routed.
func hairpin(f lab.Facts, to []lab.Replica) []lab.Step {
	if f.Link.OnParent() {
		return nil
	}
	return []lab.Step{step.Hairpin{Bridge: f.Bridge, Replicas: addresses(to)}}
}

// accept lets through, where what is forwarded is dropped, what was sent to the
// front and translated.
func (n nat) accept(at netip.AddrPort) step.Rule {
	return n.rule("filter", n.facts.ForwardChain, append(n.connections(at), "-j", "ACCEPT")...)
}

// localnet lets loopback addresses be routed by the bridge.
func localnet(bridge string) step.Sysctl {
	return step.Sysctl{Name: "net.ipv4.conf." + strings.ReplaceAll(bridge, ".", "/") + ".route_localnet", Before: "0", Value: "1"}
}

// fromLoopback serves clients of 127.0.0.1. The kernel routes such an address
// off the loopback link only with route_localnet, and a replica can answer only
// to an address of the bridge. route_localnet would also let a replica reach
// what listens on 127.0.0.1 of the host (CVE-2020-8558), so that is dropped.
func (n nat) fromLoopback(at netip.AddrPort) []lab.Step {
	back := append([]string{"-s", "127.0.0.0/8", "-o", n.facts.Bridge}, n.connections(at)...)
	return []lab.Step{
		n.rule("filter", "INPUT", "-i", n.facts.Bridge, "-d", "127.0.0.0/8",
			"-m", "conntrack", "!", "--ctstate", "RELATED,ESTABLISHED,DNAT", "-j", "DROP"),
		localnet(n.facts.Bridge),
		n.rule("nat", "POSTROUTING", append(back, "-j", "MASQUERADE")...),
		n.enter("OUTPUT", at),
	}
}

func addresses(to []lab.Replica) []netip.AddrPort {
	all := make([]netip.AddrPort, len(to))
	for i, r := range to {
		all[i] = r.Address
	}
	return all
}

func port(a netip.AddrPort) string { return strconv.Itoa(int(a.Port())) }
