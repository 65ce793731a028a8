package kernel

import "golang.org/x/sys/unix"

// HasNetAdmin says whether this process may change the network: whether
// CAP_NET_ADMIN is among its effective capabilities (capabilities(7)).
func HasNetAdmin() bool { return has(unix.CAP_NET_ADMIN) }

// MayMakeNamespaces says whether this process may make network, mount and pid
// namespaces and change the network in them with no user namespace of its own:
// whether it has CAP_SYS_ADMIN and CAP_NET_ADMIN (namespaces(7)).
func MayMakeNamespaces() bool { return has(unix.CAP_SYS_ADMIN) && has(unix.CAP_NET_ADMIN) }

// has asks for one of this process's effective capabilities (capget(2)).
func has(capability int) bool {
	var sets [2]unix.CapUserData // 64 capabilities in two words
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	if err := unix.Capget(&header, &sets[0]); err != nil {
		return false
	}
	return sets[capability/32].Effective&(1<<(capability%32)) != 0
}
