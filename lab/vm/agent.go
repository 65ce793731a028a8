package vm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// agent is the guest's end of the wire: it runs what the host asks for.
type agent struct {
	engine *engine // nil: the machine has none

	mu      sync.Mutex
	running map[string]int // process groups, by the command's id
}

func newAgent(e *engine) *agent { return &agent{engine: e, running: map[string]int{}} }

// runAgent serves the host until it goes away.
func runAgent(ctx context.Context, o orders) error {
	conn, err := openPort(ctx)
	if err != nil {
		return err
	}
	for _, variable := range o.environment() {
		name, value, _ := strings.Cut(variable, "=")
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	var e *engine
	if o.Engine {
		e = startEngine()
	}
	return newAgent(e).serve(conn)
}

// serve answers on one connection until it ends.
func (a *agent) serve(conn net.Conn) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+pathHello, func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET "+pathEngine, a.awaitEngine)
	mux.HandleFunc("POST "+pathRun, a.run)
	mux.HandleFunc("POST "+pathSignal, a.signal)
	mux.HandleFunc("GET "+pathTree, sendTree)
	s := &http.Server{Handler: mux, Protocols: onlyHTTP2()}
	if err := s.Serve(&single{conn: conn, ended: make(chan struct{})}); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// onlyHTTP2 is HTTP/2 with no upgrade from anything: both ends know.
func onlyHTTP2() *http.Protocols {
	p := &http.Protocols{}
	p.SetUnencryptedHTTP2(true)
	return p
}

func (a *agent) awaitEngine(w http.ResponseWriter, r *http.Request) {
	if a.engine == nil {
		http.Error(w, "this machine has no engine", http.StatusNotFound)
		return
	}
	if err := a.engine.await(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	}
}

// signal sends a signal to a command; one that has ended does not mind.
func (a *agent) signal(w http.ResponseWriter, r *http.Request) {
	number, err := strconv.Atoi(r.FormValue("signal"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if group, ok := a.running[r.FormValue("id")]; ok {
		_ = syscall.Kill(-group, syscall.Signal(number)) // it may just have ended
	}
}

func sendTree(w http.ResponseWriter, r *http.Request) {
	dir := r.FormValue("dir")
	if _, err := os.ReadDir(dir); err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	if err := packTree(w, dir); err != nil {
		panic(http.ErrAbortHandler) // so that the host knows that it has not got all
	}
}

// openPort opens the port to the host, which the driver makes a moment after it
// was loaded (drivers/char/virtio_console.c).
func openPort(ctx context.Context) (net.Conn, error) {
	for end := time.Now().Add(deviceTime); ; time.Sleep(devicePause) {
		names, err := filepath.Glob("/sys/class/virtio-ports/*/name")
		if err != nil {
			return nil, err
		}
		for _, path := range names {
			if name, err := os.ReadFile(path); err == nil && strings.TrimSpace(string(name)) == portName {
				f, err := os.OpenFile(filepath.Join("/dev", filepath.Base(filepath.Dir(path))), os.O_RDWR, 0)
				if err != nil {
					return nil, fmt.Errorf("open the port to the host: %w", err)
				}
				return serialPort{f}, nil
			}
		}
		if ctx.Err() != nil || time.Now().After(end) {
			return nil, fmt.Errorf("there is no virtio-serial port %s: the kernel needs virtio_console", portName)
		}
	}
}

// readOrders reads what the host wants of this machine.
func readOrders(path string) (orders, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return orders{}, err
	}
	var o orders
	return o, json.Unmarshal(text, &o)
}
