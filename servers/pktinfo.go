package servers

import (
	"net"
	"net/netip"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A socket that is bound to all addresses would answer from the one that the
// route to the client prefers. To a client, to conntrack and to NAT that is a
// datagram of somebody else's. So each answer is sent from the address that
// was asked, which the kernel tells beside the datagram: IP_PKTINFO (ip(7)) and
// IPV6_PKTINFO (ipv6(7), RFC 3542).

// controlBytes is the room for what is told.
var controlBytes = unix.CmsgSpace(unix.SizeofInet6Pktinfo) + unix.CmsgSpace(unix.SizeofInet4Pktinfo)

// receiveBuffer is how many bytes a socket may hold that nobody has read yet,
// as far as the kernel lets it: a burst of requests must not be lost here.
const receiveBuffer = 4 << 20

// prepare has a UDP socket tell where each datagram was sent to.
func prepare(u *net.UDPConn) error {
	raw, err := u.SyscallConn()
	if err != nil {
		return err
	}
	level, option := unix.IPPROTO_IP, unix.IP_PKTINFO
	if u.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap().Is6() {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO
	}
	var failed error
	if err := raw.Control(func(fd uintptr) {
		failed = os.NewSyscallError("setsockopt", unix.SetsockoptInt(int(fd), level, option, 1))
		// Beyond net.core.rmem_max where CAP_NET_ADMIN allows it (socket(7)).
		if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
		}
	}); err != nil {
		return err
	}
	return failed
}

// source makes of what the kernel told about a datagram what tells it where the
// answer is to come from. It writes into its argument. The interface is left to
// the routes, but for an address that has a meaning on one link alone.
func source(control []byte) []byte {
	header, data, _, err := unix.ParseOneSocketControlMessage(control)
	if err != nil {
		return nil
	}
	switch {
	case header.Level == unix.IPPROTO_IP && header.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
		(*unix.Inet4Pktinfo)(unsafe.Pointer(&data[0])).Ifindex = 0
		return control[:unix.CmsgSpace(unix.SizeofInet4Pktinfo)]
	case header.Level == unix.IPPROTO_IPV6 && header.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
		info := (*unix.Inet6Pktinfo)(unsafe.Pointer(&data[0]))
		if !netip.AddrFrom16(info.Addr).IsLinkLocalUnicast() {
			info.Ifindex = 0
		}
		return control[:unix.CmsgSpace(unix.SizeofInet6Pktinfo)]
	}
	return nil
}

// received is a datagram that was read.
type received struct {
	bytes, control int
	from           netip.AddrPort
}

// receive reads a datagram that has come; false: there is none.
func receive(fd int, line, control []byte) (received, bool) {
	n, oobn, _, from, err := unix.Recvmsg(fd, line, control, unix.MSG_DONTWAIT)
	if err != nil {
		return received{}, false
	}
	m := received{bytes: n, control: oobn}
	switch a := from.(type) {
	case *unix.SockaddrInet4:
		m.from = netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		addr := netip.AddrFrom16(a.Addr)
		if a.ZoneId != 0 {
			addr = addr.WithZone(strconv.FormatUint(uint64(a.ZoneId), 10))
		}
		m.from = netip.AddrPortFrom(addr, uint16(a.Port))
	}
	return m, true
}
