package kernel

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/portlab/portlab/lab"
)

// chainScript fills one chain, for iptables-restore(8) --noflush: naming a
// chain of one's own flushes it, or makes it.
func chainScript(table, chain string, rules [][]string) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "*%s\n:%s - [0:0]\n", table, chain)
	for _, rule := range rules {
		words, err := quoteWords(rule)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "-A %s %s\n", chain, words)
	}
	b.WriteString("COMMIT\n")
	return b.String(), nil
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:,=+@%!^-]+$`)

// quoteWords joins a rule's words as iptables-restore reads them: in double
// quotes where need be, with a backslash before a quote or a backslash. A line
// break cannot be written, and is a usage error.
func quoteWords(words []string) (string, error) {
	quoted := make([]string, len(words))
	for i, w := range words {
		switch {
		case strings.ContainsAny(w, "\n\r\x00"):
			return "", lab.Usagef("a firewall rule cannot hold a line break: %q", w)
		case plainWord.MatchString(w):
			quoted[i] = w
		default:
			quoted[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(w) + `"`
		}
	}
	return strings.Join(quoted, " "), nil
}

// splitWords is the inverse of quoteWords, and reads what iptables-save(8)
// prints. It returns false if a quote is left open.
func splitWords(line string) (words []string, closed bool) {
	var b strings.Builder
	var quoted, escaped, started bool
	for i := range len(line) {
		c := line[i]
		switch {
		case escaped:
			b.WriteByte(c)
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"':
			quoted, started = !quoted, true
		case !quoted && (c == ' ' || c == '\t'):
			if started {
				words = append(words, b.String())
				b.Reset()
				started = false
			}
		default:
			b.WriteByte(c)
			started = true
		}
	}
	if started {
		words = append(words, b.String())
	}
	return words, !quoted
}
