package step

import (
	"regexp"
	"strings"

	"github.com/portlab/portlab/lab"
)

// plain matches words that a shell takes as they are.
var plain = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./!-]+$`)

// quote makes one word of a POSIX shell command.
func quote(word string) string {
	if plain.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// command joins words into a line ready to be pasted.
func command(words ...string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = quote(w)
	}
	return strings.Join(quoted, " ")
}

func iptables(ip lab.Family, table string, words ...string) string {
	program := "iptables"
	if ip == lab.IPv6 {
		program = "ip6tables"
	}
	return command(append([]string{program, "-t", table}, words...)...)
}

// where names a chain; only IPv6 is said, IPv4 being what most mean.
func where(ip lab.Family, table, chain string) string {
	if ip == lab.IPv6 {
		return "ip6 " + table + "/" + chain
	}
	return table + "/" + chain
}
