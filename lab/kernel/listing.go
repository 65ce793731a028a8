package kernel

import (
	"regexp"
	"strings"

	"github.com/portlab/portlab/lab"
)

// savedChain is one chain of iptables-save(8)'s output.
type savedChain struct{ table, chain string }

// savedRule is one rule of iptables-save(8)'s output.
type savedRule struct {
	table, chain string
	words        []string // those that follow the chain's name
}

// parseSave reads the output of iptables-save(8). Lines that it does not know
// are passed over: other tools' tables must not stand in the way of a sweep.
func parseSave(text string) (chains []savedChain, rules []savedRule) {
	table := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.HasPrefix(line, "*"):
			table = line[1:]
		case strings.HasPrefix(line, ":"):
			name, _, _ := strings.Cut(line[1:], " ")
			chains = append(chains, savedChain{table, name})
		case strings.HasPrefix(line, "-A "):
			if words, ok := splitWords(line); ok && len(words) > 2 {
				rules = append(rules, savedRule{table, words[1], words[2:]})
			}
		}
	}
	return chains, rules
}

var (
	chainForm   = regexp.MustCompile(`^PORTLAB-([a-z2-7]{6})-`)
	commentForm = regexp.MustCompile(`^portlab:([a-z2-7]{6})$`)
)

// runOfChain is the run whose chain this is, if it is one's.
func runOfChain(chain string) (lab.RunID, bool) {
	m := chainForm.FindStringSubmatch(chain)
	if m == nil {
		return "", false
	}
	return lab.RunID(m[1]), true
}

// runOfComment is the run whose comment this is, if it is one's.
func runOfComment(text string) (lab.RunID, bool) {
	m := commentForm.FindStringSubmatch(text)
	if m == nil {
		return "", false
	}
	return lab.RunID(m[1]), true
}

// run is the run that made a rule: by its comment, or by the chain it jumps to.
func (r savedRule) run() (lab.RunID, bool) {
	for i := 1; i < len(r.words); i++ {
		switch r.words[i-1] {
		case "--comment":
			if id, ok := runOfComment(r.words[i]); ok {
				return id, true
			}
		case "-j", "-g":
			if id, ok := runOfChain(r.words[i]); ok {
				return id, true
			}
		}
	}
	return "", false
}
