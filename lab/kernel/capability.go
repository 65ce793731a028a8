package kernel

import "golang.org/x/sys/unix"

// HasNetAdmin says whether this process may change the network: whether
// CAP_NET_ADMIN is among its effective capabilities (capget(2), capabilities(7)).
func HasNetAdmin() bool {
	var sets [2]unix.CapUserData // 64 capabilities in two words
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	if err := unix.Capget(&header, &sets[0]); err != nil {
		return false
	}
	return sets[unix.CAP_NET_ADMIN/32].Effective&(1<<(unix.CAP_NET_ADMIN%32)) != 0
}
