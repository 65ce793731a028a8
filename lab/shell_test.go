package lab_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
)

// sh hands a line to a real shell, as if pasted, and gives what it prints.
func sh(t *testing.T, line string) string {
	t.Helper()
	cmd := exec.Command("sh")
	cmd.Dir, cmd.Stdin = t.TempDir(), strings.NewReader(line+"\n")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s\n%v: %s", line, err, out)
	}
	return string(out)
}

// Whatever is in a word, a program gets it as it is.
func TestShellLineKeepsWords(t *testing.T) {
	words := []string{
		"plain", "", " ", "two words", "it's", "''", `a "quoted" one`, "$HOME", "`id`", "$(id)", `back\slash`, `\`,
		"*", "?", "[2001:db8::1]:80", "{a,b}", "~", "#no comment", "!", "-n", "--", "A=b", "a;b", "a|b", "a&b", "<in", ">out",
		"(sub)", "a\nb", "\t", "ä€", "%s", "100%", "a,b:c/d@e+f.g_h",
	}
	// The line's own words reach printf first; a byte of zero ends each of the rest.
	got := strings.Split(sh(t, lab.ShellLine(append([]string{"printf", `%s\000`}, words...)...)), "\x00")
	if !slices.Equal(got, append(words, "")) {
		t.Errorf("%q arrived, want %q", got, words)
	}
}

// Every command of a line runs under the prefix. This one sets a variable that
// shows it, and takes a command but no assignments, as ip netns exec does.
func TestShellUnderRunsAllOfALine(t *testing.T) {
	const prefix = "env UNDER=it nice -n 0"
	for line, want := range map[string]string{
		"printenv UNDER":                              "it\n",
		"printf %s 'two words'":                       "two words",
		"printf %s 'it'\\''s'":                        "it's",
		"printenv UNDER || true":                      "it\n",
		"false || printenv UNDER":                     "it\n",
		"printenv NONE || printenv UNDER && echo too": "it\ntoo\n",
		"true; printenv UNDER":                        "it\n",
		"true | printenv UNDER":                       "it\n",
		"printenv UNDER | tr a-z A-Z":                 "IT\n",
		`echo "$UNDER" '$UNDER'`:                      "it $UNDER\n",
		`echo "$(printenv UNDER)"`:                    "it\n",
		"printenv UNDER > out; cat out":               "it\n",
		"printenv UNDER & wait":                       "it\n",
		"OTHER=x printenv OTHER UNDER":                "x\nit\n",
		"! printenv NONE":                             "",
		"cat > text <<'END'\nit's $UNDER\nEND\ncat text; printenv UNDER": "it's $UNDER\nit\n",
	} {
		if got := sh(t, lab.ShellUnder(prefix, line)); got != want {
			t.Errorf("%q printed %q, want %q", line, got, want)
		}
		twice := lab.ShellUnder("env OUTER=x", lab.ShellUnder(prefix, line))
		if got := sh(t, twice); got != want {
			t.Errorf("under two prefixes %q printed %q, want %q", line, got, want)
		}
	}
}

// Lines that are one command of plain words stay readable: no shell stands
// between.
func TestShellUnderKeepsPlainLines(t *testing.T) {
	for _, line := range []string{"iptables -t nat -N X", "sysctl -w net.ipv4.ip_forward=1", "printf '%s' 'two words'"} {
		if got := lab.ShellUnder("ip netns exec host", line); got != "ip netns exec host "+line {
			t.Errorf("%q", got)
		}
	}
}

// show is a program that says of each descriptor it is told of which kind of
// socket it is, where, whether it listens, and whether the port can be shared.
const show = `import socket, sys
for fd in sys.argv[1:]:
    s = socket.socket(fileno=int(fd))
    get = lambda option: s.getsockopt(socket.SOL_SOCKET, option)
    print(fd, s.family.name, s.type.name, s.getsockname()[0], get(socket.SO_ACCEPTCONN), get(socket.SO_REUSEPORT))`

func TestShellInheritHandsOverListeningSockets(t *testing.T) {
	_, err := exec.LookPath("python3")
	labtest.Require(t, "python3", err == nil, "the line makes sockets with it")
	four, six := netip.MustParseAddrPort("127.0.0.1:0"), netip.MustParseAddrPort("[::1]:0")
	probe, err := net.Listen("tcp", six.String())
	labtest.Require(t, "::1", err == nil, fmt.Sprint(err))
	if err := probe.Close(); err != nil {
		t.Fatal(err)
	}
	sockets := []lab.Socket{
		{Address: four, ReusePort: true}, {Address: six, ReusePort: true, Transport: "tcp"}, {Address: four}, {Address: six},
		{Address: four, ReusePort: true, Transport: "udp"}, {Address: six, Transport: "udp"},
	}
	for _, first := range []int{3, 4, 9} {
		words := []string{"python3", "-c", show}
		for i := range sockets {
			words = append(words, fmt.Sprint(first+i))
		}
		var want strings.Builder
		for i, is := range []string{
			"AF_INET SOCK_STREAM 127.0.0.1 1 1", "AF_INET6 SOCK_STREAM ::1 1 1", "AF_INET SOCK_STREAM 127.0.0.1 1 0",
			"AF_INET6 SOCK_STREAM ::1 1 0", "AF_INET SOCK_DGRAM 127.0.0.1 0 1", "AF_INET6 SOCK_DGRAM ::1 0 0",
		} {
			fmt.Fprintf(&want, "%d %s\n", first+i, is)
		}
		if got := sh(t, lab.ShellInherit(first, sockets, words)); got != want.String() {
			t.Errorf("from %d on:\n%swant\n%s", first, got, want.String())
		}
	}
}

// Without sockets the line is the program itself.
func TestShellInheritNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a file")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := sh(t, lab.ShellInherit(3, nil, []string{"cat", file})); got != "text" {
		t.Errorf("%q, want the program to run with its words", got)
	}
}
