package load

import (
	"errors"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// poller waits for sockets (epoll(7)) and for the time, in nanoseconds.
type poller struct {
	fd     int
	bell   int // eventfd(2): a wait ends when it rings
	events [128]unix.EpollEvent
	single unix.EpollEvent // scratch space of control
	// milliseconds: the kernel has no epoll_pwait2, which came with Linux 5.11.
	milliseconds bool
}

// bellIndex is the index that the bell's events carry.
const bellIndex = -1

func openPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	p := &poller{fd: fd}
	if p.bell, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		_ = unix.Close(fd)
		return nil, os.NewSyscallError("eventfd", err)
	}
	if e := p.control(unix.EPOLL_CTL_ADD, p.bell, unix.EPOLLIN, bellIndex, 0); e != 0 {
		p.close()
		return nil, os.NewSyscallError("epoll_ctl", e)
	}
	return p, nil
}

func (p *poller) close() {
	_ = unix.Close(p.bell)
	_ = unix.Close(p.fd)
}

// ring ends the wait of another goroutine, or the next one. The bell keeps
// ringing.
func (p *poller) ring() {
	_, _ = unix.Write(p.bell, []byte{1, 0, 0, 0, 0, 0, 0, 0}) // fails only where it rings already
}

// control adds or changes what is waited for. Events carry the index of a
// connection and its generation, by which a late one is told.
func (p *poller) control(op, fd int, events uint32, index, generation int32) unix.Errno {
	p.single = unix.EpollEvent{Events: events, Fd: index, Pad: generation}
	_, _, err := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(p.fd), uintptr(op), uintptr(fd), uintptr(unsafe.Pointer(&p.single)), 0, 0)
	return err
}

// wait returns when there are events or the time is over; the events are valid
// until the next call. Where there are some already, the scheduler is not told.
func (p *poller) wait(limit time.Duration) ([]unix.EpollEvent, error) {
	n, err := p.look()
	if n == 0 && err == 0 && limit > 0 {
		n, err = p.sleep(limit)
	}
	if err != 0 && err != unix.EINTR {
		return nil, os.NewSyscallError("epoll_wait", err)
	}
	return p.events[:n], nil
}

// look returns at once.
func (p *poller) look() (int, unix.Errno) {
	n, _, err := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events)), uintptr(len(p.events)), 0, 0, 0)
	return counted(n, err)
}

// sleep tells the scheduler, so that others run meanwhile.
func (p *poller) sleep(limit time.Duration) (int, unix.Errno) {
	limit = min(limit, time.Hour)
	if !p.milliseconds {
		// Always 64 bits wide, whatever the machine's own timespec is.
		span := [2]int64{int64(limit / time.Second), int64(limit % time.Second)}
		n, _, err := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events)), uintptr(len(p.events)), uintptr(unsafe.Pointer(&span)), 0, 0)
		if !errors.Is(err, unix.ENOSYS) {
			return counted(n, err)
		}
		p.milliseconds = true
	}
	whole := (limit + time.Millisecond - 1) / time.Millisecond // never early
	n, _, err := unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events)), uintptr(len(p.events)), uintptr(whole), 0, 0)
	return counted(n, err)
}

func counted(n uintptr, err unix.Errno) (int, unix.Errno) {
	if err != 0 {
		return 0, err
	}
	return int(n), 0
}
