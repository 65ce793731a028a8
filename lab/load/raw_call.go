package load

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The system calls of the raw driver. They are made by RawSyscall, which does
// not tell Go's scheduler: on a non-blocking socket none of them waits for the
// network, so there is nothing to let other goroutines in for, and telling it
// costs as much as a cheap system call itself. A call that can wait, such as
// for the next event, must never be made so: it would hold up a collection of
// garbage for as long.

// address is a socket address as the kernel takes it (ip(7), ipv6(7)).
type address struct {
	raw  unix.RawSockaddrInet6 // or the shorter RawSockaddrInet4
	size uintptr               // in bytes
}

func newAddress(a netip.AddrPort) address {
	var to address
	port := [2]byte{byte(a.Port() >> 8), byte(a.Port())}
	if a.Addr().Is4() {
		*(*unix.RawSockaddrInet4)(unsafe.Pointer(&to.raw)) = unix.RawSockaddrInet4{
			Family: unix.AF_INET, Port: binary.NativeEndian.Uint16(port[:]), Addr: a.Addr().As4(),
		}
		to.size = unix.SizeofSockaddrInet4
		return to
	}
	zone, _ := strconv.ParseUint(a.Addr().Zone(), 10, 32) // checked before the load
	to.raw = unix.RawSockaddrInet6{
		Family: unix.AF_INET6, Port: binary.NativeEndian.Uint16(port[:]), Addr: a.Addr().As16(), Scope_id: uint32(zone),
	}
	to.size = unix.SizeofSockaddrInet6
	return to
}

func (a *address) addrPort() netip.AddrPort {
	var port [2]byte
	if a.raw.Family == unix.AF_INET {
		four := (*unix.RawSockaddrInet4)(unsafe.Pointer(&a.raw))
		binary.NativeEndian.PutUint16(port[:], four.Port)
		return netip.AddrPortFrom(netip.AddrFrom4(four.Addr), binary.BigEndian.Uint16(port[:]))
	}
	binary.NativeEndian.PutUint16(port[:], a.raw.Port)
	six := netip.AddrFrom16(a.raw.Addr)
	if a.raw.Scope_id != 0 {
		six = six.WithZone(strconv.FormatUint(uint64(a.raw.Scope_id), 10))
	}
	return netip.AddrPortFrom(six, binary.BigEndian.Uint16(port[:]))
}

// openSocket makes a non-blocking socket of a kind, SOCK_STREAM or SOCK_DGRAM,
// for this IP version.
func openSocket(to *address, kind uintptr) (int, unix.Errno) {
	fd, _, err := unix.RawSyscall(unix.SYS_SOCKET, uintptr(to.raw.Family), kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	return int(fd), err
}

// bindSource gives the socket a source address. Its port is chosen by connect,
// for the whole 4-tuple, so that each target has the whole range of ports.
func bindSource(fd int, from *address) unix.Errno {
	one := int32(1)
	_, _, err := unix.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT,
		uintptr(unsafe.Pointer(&one)), unsafe.Sizeof(one), 0)
	if err != 0 {
		return err
	}
	_, _, err = unix.RawSyscall(unix.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(&from.raw)), from.size)
	return err
}

func connectSocket(fd int, to *address) unix.Errno {
	_, _, err := unix.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&to.raw)), to.size)
	return err
}

func sendTo(fd int, b []byte) (int, unix.Errno) {
	n, _, err := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_NOSIGNAL, 0, 0)
	return int(n), err
}

func receiveFrom(fd int, b []byte) (int, unix.Errno) {
	n, _, err := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), 0, 0, 0)
	return int(n), err
}

// closeSocket cannot fail in a way that matters: nothing is left to be sent.
func closeSocket(fd int) {
	_, _, err := unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
	_ = err
}

// localOf is the socket's own address; a is scratch space.
func localOf(fd int, a *address) netip.AddrPort {
	size := uint32(unsafe.Sizeof(a.raw))
	_, _, err := unix.RawSyscall(unix.SYS_GETSOCKNAME, uintptr(fd), uintptr(unsafe.Pointer(&a.raw)), uintptr(unsafe.Pointer(&size)))
	if err != 0 {
		return netip.AddrPort{}
	}
	return a.addrPort()
}

// pendingError takes the error of a socket off it (SO_ERROR, socket(7)).
func pendingError(fd int) unix.Errno {
	var code int32
	size := uint32(unsafe.Sizeof(code))
	_, _, err := unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_ERROR,
		uintptr(unsafe.Pointer(&code)), uintptr(unsafe.Pointer(&size)), 0)
	if err != 0 {
		return err
	}
	return unix.Errno(code)
}
