package load

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"
)

// TestServerClosesFirst counts who is left in TIME-WAIT: whoever closed first.
// If it were the client, it would run out of ports.
func TestServerClosesFirst(t *testing.T) {
	const requests = 200
	tests := map[string]netip.AddrPort{
		"at once": goServer(t, "foo"),
		"a moment after the answer": rawServer(t, func(c *net.TCPConn) {
			says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")(c)
			time.Sleep(time.Millisecond)
		}),
	}
	for name, to := range tests {
		t.Run(name, func(t *testing.T) {
			allFaults(t, drive(t, plan(requests, 4), to), "")
			client, server := timeWait(t, to)
			if client > requests/10 || server < requests*9/10 {
				t.Errorf("of %d connections, %d are in TIME-WAIT on the client's side and %d on the server's", requests, client, server)
			}
		})
	}
}

// TestTimeWaitIsSeen shows that the count above sees a client that closes first.
func TestTimeWaitIsSeen(t *testing.T) {
	to := rawServer(t, func(c *net.TCPConn) { untilGone(c) })
	for range 5 {
		c, err := net.Dial("tcp", to.String())
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	// The last segment of a server may still be under way.
	client := 0
	for range 1000 {
		if client, _ = timeWait(t, to); client == 5 {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d connections are in TIME-WAIT on the client's side, want 5", client)
}

// timeWait counts the sockets in TIME-WAIT that dialled an address, and those
// that were dialled there (proc_net_tcp in the kernel's documentation).
func timeWait(t *testing.T, to netip.AddrPort) (client, server int) {
	t.Helper()
	f, err := os.Open("/proc/self/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const inTimeWait = "06"
	port := fmt.Sprintf(":%04X", to.Port())
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || fields[3] != inTimeWait {
			continue
		}
		if strings.HasSuffix(fields[1], port) {
			server++
		}
		if strings.HasSuffix(fields[2], port) {
			client++
		}
	}
	return client, server
}
