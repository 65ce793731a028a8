package load

import (
	"net"
	"net/netip"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// frugalServer answers on any number of connections, one after the other, and
// allocates nothing for that, so that what is allocated is the client's.
func frugalServer(t testing.TB, answer string) netip.AddrPort {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 64); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() {
		_ = unix.Shutdown(fd, unix.SHUT_RDWR) // ends accept(2)
		<-ended
		unix.Close(fd)
	})
	go func() {
		defer close(ended)
		text, buffer := []byte(answer), make([]byte, 4096)
		for {
			c, _, err := unix.Syscall6(unix.SYS_ACCEPT4, uintptr(fd), 0, 0, unix.SOCK_CLOEXEC, 0, 0)
			if err != 0 {
				return
			}
			for {
				n, _, err := unix.Syscall(unix.SYS_READ, c, uintptr(unsafe.Pointer(&buffer[0])), uintptr(len(buffer)))
				if err != 0 || n == 0 {
					break
				}
				_, _, _ = unix.Syscall(unix.SYS_WRITE, c, uintptr(unsafe.Pointer(&text[0])), uintptr(len(text)))
			}
			unix.Close(int(c))
		}
	}()
	return addrPort(name)
}

// frugalDatagramServer is the same for datagrams.
func frugalDatagramServer(t testing.TB, answer string) netip.AddrPort {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		text, buffer := []byte(answer), make([]byte, 4096)
		for {
			_, from, err := c.ReadFromUDPAddrPort(buffer)
			if err != nil {
				return
			}
			_, _ = c.WriteToUDPAddrPort(text, from)
		}
	}()
	return c.LocalAddr().(*net.UDPAddr).AddrPort()
}

// TestRawAllocatesNothingForARequest: a load of many requests allocates no more
// than a load of few.
func TestRawAllocatesNothingForARequest(t *testing.T) {
	const few, many = 500, 5500
	own := `Portlab-Answer: v=1, instance="foo", conn=3, req=1, client="192.0.2.1:1024", service-ns=5` + "\r\n"
	closed := func(p *lab.Plan) { p.CloseFirst = lab.ClientEnd }
	tests := map[string]func(*lab.Plan){
		"a new connection for each": closed,
		"kept connections":          func(p *lab.Plan) { p.PerConnection = 0 },
		"an open loop":              func(p *lab.Plan) { closed(p); p.Rate, p.Arrivals = 50_000, lab.Poisson },
		"a pattern of the body":     func(p *lab.Plan) { p.PerConnection, p.InstancePattern = 0, "hello" },
		"several addresses":         func(p *lab.Plan) { closed(p); p.Clients = 3 },
		"lines":                     func(p *lab.Plan) { p.Protocol, p.PerConnection = lab.TCP, 0 },
		"datagrams":                 func(p *lab.Plan) { p.Protocol = lab.UDP },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			p := plan(few, 1)
			change(&p)
			var to netip.AddrPort
			switch p.Protocol {
			case lab.TCP:
				to = frugalServer(t, "220 hello\n")
			case lab.UDP:
				to = frugalDatagramServer(t, "pong")
			default:
				to = frugalServer(t, head200+own+"Content-Length: 6\r\n\r\nhello\n")
			}
			allocations := func(requests int) uint64 {
				p.Requests = requests
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				emitted := 0
				_, err := Raw{Threads: 1}.Drive(t.Context(), Local{}, p, []netip.AddrPort{to}, func(s lab.Sample) {
					if emitted++; !s.OK() {
						t.Errorf("%s: %s", s.Fault, s.Detail)
					}
				})
				runtime.ReadMemStats(&after)
				if err != nil || emitted != requests {
					t.Fatalf("%d samples, error %v", emitted, err)
				}
				return after.Mallocs - before.Mallocs
			}
			allocations(few)
			base := allocations(few)
			// The runtime's own threads allocate now and then.
			if n := allocations(many); n > base+(many-few)/50 {
				t.Errorf("%d allocations for %d requests, %d for %d", n, many, base, few)
			}
		})
	}
}

// TestManyExchangesNeedNoMoreMemory is about what is made before the load.
func TestManyExchangesNeedNoMoreMemory(t *testing.T) {
	to := []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:80")}
	j, err := Raw{Threads: 1}.newJob(Local{}, plan(1, lab.MaxConcurrency), to, func(lab.Sample) {})
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	l, err := newLoop(j, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer l.poll.close()
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / lab.MaxConcurrency; each > 2048 {
		t.Errorf("%d bytes for each worker", each)
	}
}
