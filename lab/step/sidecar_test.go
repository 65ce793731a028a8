package step_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
	"github.com/portlab/portlab/lab/step"
)

func nginx(conf string) step.Sidecar {
	return step.Sidecar{Sidecar: lab.Sidecar{
		Name: "front", Program: "nginx", Args: []string{"-c", lab.SidecarDir + "/nginx.conf"},
		Files: map[string]string{"nginx.conf": conf}, ReloadSignal: syscall.SIGHUP,
	}}
}

// Where only the files differ, the program keeps running; else it is started anew.
func TestSidecarReplace(t *testing.T) {
	restarted := nginx("new")
	restarted.Args = append(restarted.Args, "-q")
	noSignal, noSignalNext := nginx("old"), nginx("new")
	noSignal.ReloadSignal, noSignalNext.ReloadSignal = 0, 0
	for _, c := range []struct {
		name      string
		old, next step.Sidecar
		changes   int // 1: reload; 2: stop and start
	}{
		{"other files", nginx("old"), nginx("new"), 1},
		{"other arguments", nginx("old"), restarted, 2},
		{"no reload signal", noSignal, noSignalNext, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := labtest.NewHost(t)
			if err := c.old.Apply(t.Context(), h); err != nil {
				t.Fatal(err)
			}
			before := h.Mutations()
			if err := c.old.Replace(t.Context(), h, c.next); err != nil {
				t.Fatal(err)
			}
			if n := h.Mutations() - before; n != c.changes {
				t.Errorf("%d changes, want %d", n, c.changes)
			}
			if got, _ := h.Running("front"); got.Files["nginx.conf"] != "new" {
				t.Errorf("it runs with %+v", got)
			}
			if err := c.next.Revert(t.Context(), h); err != nil {
				t.Fatal(err)
			}
			h.AssertPristine(t)
		})
	}
}

// sh runs lines in one shell, as if pasted.
func sh(t *testing.T, lines []string) {
	t.Helper()
	// A file, since what is started in the background keeps a pipe open.
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command("sh", "-e")
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(log.Name())
		t.Fatalf("%v\n%s\n%s", err, text, strings.Join(lines, "\n"))
	}
}

// Pasted lines write the files as they are, start the program with them and
// with its listening sockets, and take it all away again.
func TestSidecarByHand(t *testing.T) {
	python, err := exec.LookPath("python3")
	labtest.Require(t, "python3", err == nil, "the command by hand makes sockets with it")
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).AddrPort()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	for _, status := range []bool{false, true} {
		t.Run(fmt.Sprintf("status=%v", status), func(t *testing.T) {
			fd, activated := 3, "activated"
			if status {
				fd, activated = 4, ""
			}
			text := "a 'quoted' $HOME `line`\nand a second\n"
			s := step.Sidecar{Sidecar: lab.Sidecar{
				Name: fmt.Sprintf("test-%d-%v", os.Getpid(), status), Program: python,
				Args: []string{"-c", "import http.server, os, socket, sys\n" +
					"os.chdir(sys.argv[1])\n" +
					"if sys.argv[2] == 'activated': assert (os.environ['LISTEN_PID'], os.environ['LISTEN_FDS']) == (str(os.getpid()), '1')\n" +
					"if " + fmt.Sprint(fd) + " == 4: os.write(3, b'0\\n')\n" +
					"s = http.server.HTTPServer(('', 0), http.server.SimpleHTTPRequestHandler, False)\n" +
					"s.socket = socket.socket(fileno=" + fmt.Sprint(fd) + ")\n" +
					"s.serve_forever()", lab.SidecarDir, activated},
				Files: map[string]string{"text": text}, Status: status, Activated: !status,
				Sockets: []lab.Socket{{Address: port, ReusePort: true}},
			}}
			sh(t, s.Shell())
			if got := fetch(t, "http://"+port.String()+"/text"); got != text {
				t.Errorf("the file is served as %q, want %q", got, text)
			}
			sh(t, s.Undo())
			if left, err := filepath.Glob("/tmp/portlab-" + s.Name + "*"); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
			gone(t, port.String())
		})
	}
}

// patience is how many times, 10 ms apart, a process may be asked for a change.
const patience = 500

// fetch gets a page of a server that may not listen yet.
func fetch(t *testing.T, url string) string {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	var last error
	for range patience {
		res, err := client.Get(url)
		if err == nil {
			defer res.Body.Close()
			text, err := io.ReadAll(res.Body)
			if err != nil {
				t.Error(err)
			}
			return string(text)
		}
		last = err
		time.Sleep(10 * time.Millisecond)
	}
	t.Error(last)
	return ""
}

// gone fails unless nobody listens any more: the program was told to end and
// takes a moment.
func gone(t *testing.T, address string) {
	t.Helper()
	for range patience {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("something listens on %s still", address)
}
