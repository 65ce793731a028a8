package kernel

import (
	"fmt"

	"github.com/portlab/portlab/lab"
)

// Shell is [CreateParent] by hand, but for the address of the host's own link
// and for bringing that up: what follows "ip" (ip-link(8)), and words of
// sysctl(8).
func (p Parent) Shell() (ip, sysctl []string) {
	ip = []string{
		fmt.Sprintf("link add %s type veth peer name %s", p.Name, p.Far),
		fmt.Sprintf("link set %s arp off up", p.Far),
		fmt.Sprintf("link set %s up", p.Name),
		fmt.Sprintf("link add %s link %s %s", p.Own.Name, p.Name, p.kindByHand()),
	}
	if a := p.returning(); a.IsValid() {
		ip = append(ip, fmt.Sprintf("addr add %s dev %s", a, p.Name))
		name, value := p.reversePath()
		sysctl = []string{"-w " + name + "=" + value}
	}
	return ip, sysctl
}

// ShellOnParent is [CreateOnParent] by hand, but for what configures the link:
// what follows "ip". The namespace is one of ip-netns(8).
func (p Parent) ShellOnParent(name, namespace string) string {
	return fmt.Sprintf("link add link %s name %s netns %s %s", p.Name, name, namespace, p.kindByHand())
}

func (p Parent) kindByHand() string {
	if p.Kind == lab.LinkIPvlan {
		return "type ipvlan mode l2"
	}
	return "type macvlan mode bridge"
}
