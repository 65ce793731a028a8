package guard

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// What a run tells its guard, over a pair of sockets that keeps messages apart
// (SOCK_SEQPACKET, unix(7)). Its end of file means that the run is dead.
const (
	wordReady = "ready" // from the guard: it watches
	wordHold  = "hold"  // and a name; the socket comes along (SCM_RIGHTS)
	wordDrop  = "drop"  // and a name
	wordDone  = "done"  // the run has cleaned up
)

// pair makes both ends: one to use here, one for the child to inherit.
func pair() (here *net.UnixConn, there *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make a pair of sockets: %w", err)
	}
	there = os.NewFile(uintptr(fds[1]), "guard")
	here, err = connOf(os.NewFile(uintptr(fds[0]), "run"))
	if err != nil {
		return nil, nil, errors.Join(err, there.Close())
	}
	return here, there, nil
}

// connOf turns a file that is a unix socket into a connection, and closes it.
func connOf(f *os.File) (*net.UnixConn, error) {
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("use %s as a socket: %w", f.Name(), err)
	}
	unixConn, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("%s is no unix socket", f.Name()), conn.Close())
	}
	return unixConn, nil
}

// say sends a message, and a socket with it if there is one.
func say(to *net.UnixConn, word, name string, socket *net.UnixConn) error {
	var rights []byte
	if socket != nil {
		f, err := socket.File()
		if err != nil {
			return err
		}
		defer f.Close()
		rights = unix.UnixRights(int(f.Fd()))
	}
	_, _, err := to.WriteMsgUnix([]byte(strings.TrimSpace(word+" "+name)), rights, nil)
	return err
}

// hear receives a message; socket is -1 if none came along.
func hear(from *net.UnixConn) (word, name string, socket int, err error) {
	text, rights := make([]byte, 512), make([]byte, unix.CmsgSpace(4))
	n, m, _, _, err := from.ReadMsgUnix(text, rights)
	if err != nil {
		return "", "", -1, err
	}
	word, name, _ = strings.Cut(string(text[:n]), " ")
	return word, name, received(rights[:m]), nil
}

func received(rights []byte) int {
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil || len(messages) == 0 {
		return -1
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) == 0 {
		return -1
	}
	return fds[0]
}
