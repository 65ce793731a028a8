package lab

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

var (
	// plainWord is what a shell takes as it is.
	plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./!-]+$`)
	// plainLine is a command's name, then plain words or words in single quotes.
	// A name has no "=", which would assign, and no "!", which would negate.
	plainLine = regexp.MustCompile(`^[A-Za-z0-9_@%+:,./-]+( ([A-Za-z0-9_@%+=:,./!-]+|'[^']*'))*$`)
)

// ShellWord makes one word of a POSIX shell command.
func ShellWord(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// ShellLine joins words into a line ready to be pasted.
func ShellLine(words ...string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = ShellWord(w)
	}
	return strings.Join(quoted, " ")
}

// ShellUnder has a line run under a prefix such as "ip netns exec host". What
// is more than one command goes to a shell of its own there.
func ShellUnder(prefix, line string) string {
	if plainLine.MatchString(line) {
		return prefix + " " + line
	}
	return prefix + " sh -c " + ShellWord(line)
}

// inherit makes sockets to listen on, puts them where the program expects them
// and becomes the program. A shell cannot do that by itself.
const inherit = `import os, socket, sys
for at, word in enumerate(sys.argv[2].split(), int(sys.argv[1])):
    host, port, share, kind = word.split("/")
    stream = kind == "tcp"
    s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM if stream else socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(stream))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(share))
    s.bind((host, int(port)))
    if stream:
        s.listen(4096)
    s.set_inheritable(True)
    os.dup2(s.detach(), at)
os.execvp(sys.argv[3], sys.argv[3:])`

// ShellInherit is a command that makes sockets to listen on and becomes the
// program in words, which inherits them from the file descriptor first on.
func ShellInherit(first int, sockets []Socket, words []string) string {
	if len(sockets) == 0 {
		return ShellLine(words...)
	}
	all := make([]string, len(sockets))
	for i, s := range sockets {
		share := "0"
		if s.ReusePort {
			share = "1"
		}
		all[i] = fmt.Sprintf("%s/%d/%s/%s", s.Address.Addr(), s.Address.Port(), share, cmp.Or(s.Transport, "tcp"))
	}
	head := []string{"python3", "-c", inherit, strconv.Itoa(first), strings.Join(all, " ")}
	return ShellLine(append(head, words...)...)
}
