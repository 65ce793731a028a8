package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/portlab/portlab/servers/wire"
)

// programVariable makes the test binary the program instead.
const programVariable = "PORTLAB_HTTP_SERVER_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(programVariable) != "" {
		main()
	}
	os.Exit(m.Run())
}

// start starts the program, and gives its log from the line on that says
// where it listens.
func start(t *testing.T, env ...string) (cmd *exec.Cmd, address string, log *bufio.Reader) {
	t.Helper()
	cmd = exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append([]string{programVariable + "=1"}, env...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	log = bufio.NewReader(stderr)
	line, err := log.ReadString('\n')
	if err != nil {
		t.Fatalf("it ended before it listened: %v", err)
	}
	_, address, found := strings.Cut(strings.TrimSpace(line), "listening on ")
	if !found {
		t.Fatalf("it says %q, and not where it listens", line)
	}
	return cmd, address, log
}

func TestServesAndDrainsOnSIGTERM(t *testing.T) {
	cmd, address, log := start(t, "INSTANCE=foo", "HOST=127.0.0.1", "PORT=0")
	// The kernel does not buffer so much for a client that does not read: the
	// request is under way until the body is read.
	resp, err := http.Get("http://" + address + "/?body=16777216")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if a, err := wire.Parse(resp.Header.Get(wire.Header)); err != nil || a.Instance != "foo" {
		t.Errorf("the answer is %+v, %v; want one of foo", a, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if line, err := log.ReadString('\n'); err != nil || !strings.Contains(line, "draining") {
		t.Errorf("it says %q, %v; want that it drains", line, err)
	}
	if n, err := io.Copy(io.Discard, resp.Body); err != nil || n != resp.ContentLength {
		t.Errorf("read %d bytes of %d, %v", n, resp.ContentLength, err)
	}
	if rest, err := io.ReadAll(log); err != nil {
		t.Errorf("the log ends with %v after %s", err, rest)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestExitStatus(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		env  map[string]string
		want int
		says string
	}{
		"help":                {[]string{"--help"}, nil, 0, ""},
		"argument":            {[]string{"--port"}, nil, 2, "--port"},
		"bad configuration":   {nil, map[string]string{"PORT": "http"}, 2, "PORT"},
		"no inherited socket": {nil, map[string]string{"LISTEN_FDS": "65535"}, 2, "LISTEN_FDS"},
		// TEST-NET-1 (RFC 5737) is not here.
		"address of another": {nil, map[string]string{"HOST": "192.0.2.1"}, 4, "192.0.2.1"},
	} {
		var stdout, stderr strings.Builder
		getenv := func(name string) string { return c.env[name] }
		if got := run(context.Background(), c.args, getenv, &stdout, &stderr); got != c.want || !strings.Contains(stderr.String(), c.says) {
			t.Errorf("%s: status %d, and it says %q; want %d and %q in it", name, got, &stderr, c.want, c.says)
		}
	}
}

// TestHelpNamesEveryVariable holds the help against what is read.
func TestHelpNamesEveryVariable(t *testing.T) {
	var stdout strings.Builder
	if got := run(context.Background(), []string{"--help"}, nil, &stdout, io.Discard); got != 0 {
		t.Fatalf("status %d", got)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel() // it reads its configuration, and starts nothing
	read := func(name string) string {
		if !regexp.MustCompile(`(?m)^  ` + name + ` `).MatchString(stdout.String()) {
			t.Errorf("%s is read, and not in the help:\n%s", name, stdout.String())
		}
		return ""
	}
	if got := run(ended, nil, read, io.Discard, io.Discard); got != 0 {
		t.Errorf("status %d", got)
	}
}
