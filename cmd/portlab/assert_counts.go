package main

import (
	"bufio"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/claim"
)

// maxCountLines bounds what is read from the standard input, in lines and in
// bytes of each.
const (
	maxCountLines = 10_000
	maxCountLine  = 4096
)

// assertCounts holds counts that somebody else took against the claim.
func (a *app) assertCounts(f *assertFlags, shares claim.Shares) (*assertion, error) {
	c := claim.Counted{Weights: f.expected(), Null: lab.Null(f.null), Workers: f.workers, PerConnection: f.perConnection}
	var err error
	if f.counts == "-" {
		c.Names, c.Counts, err = readCounts(a.stdin)
	} else {
		c.Names, c.Counts, err = parseCounts(f.counts)
	}
	if err != nil {
		return nil, err
	}
	e, err := c.Evidence()
	if err != nil {
		return nil, err
	}
	v, err := c.Judge(shares)
	if err != nil {
		return nil, err
	}
	s := &assertion{Verdicts: []lab.Verdict{v}, Behaviour: claim.Recognise(e)}
	for i, in := range e.Measurement.Instances {
		s.Instances = append(s.Instances, assertedInstance{Name: in.Name, Counted: c.Counts[i], Expected: in.Expected})
	}
	return s, nil
}

// parseCounts reads 158,142 or web1=158,web2=142.
func parseCounts(text string) (names []string, counts []int, err error) {
	for item := range strings.SplitSeq(text, ",") {
		name, number, named := strings.Cut(item, "=")
		if !named {
			name, number = "", item
		}
		n, err := strconv.Atoi(strings.TrimSpace(number))
		if err != nil {
			return nil, nil, lab.Usagef("--counts wants whole numbers joined by commas, such as 158,142 or web1=158,web2=142: %q is none", item)
		}
		if named {
			names = append(names, strings.TrimSpace(name))
		}
		counts = append(counts, n)
	}
	if len(names) > 0 && len(names) != len(counts) {
		return nil, nil, lab.Usagef("--counts wants a name for each count or for none: %s", text)
	}
	return names, counts, nil
}

// readCounts reads a line for each instance. Empty lines and those that begin
// with # are passed over.
func readCounts(r io.Reader) (names []string, counts []int, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxCountLine)
	for number := 1; lines.Scan(); number++ {
		line := lines.Text()
		if text := strings.TrimSpace(line); text == "" || text[0] == '#' {
			continue
		}
		name, n, err := readCount(line, number)
		if err != nil {
			return nil, nil, err
		}
		if name == "" {
			name = strconv.Itoa(len(counts) + 1)
		}
		if slices.Contains(names, name) {
			return nil, nil, lab.Usagef("line %d: there is a count of %q already", number, name)
		}
		if names, counts = append(names, name), append(counts, n); len(counts) > maxCountLines {
			return nil, nil, lab.Usagef("the standard input has more than %d instances", maxCountLines)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, nil, lab.Usagef("cannot read the counts from the standard input: %v", err)
	}
	return names, counts, nil
}

// readCount reads a name and a count in either order, or a count alone. Where
// both could be the count, a line that begins with space has it first: uniq(1)
// prints it so.
func readCount(line string, number int) (name string, n int, err error) {
	words := strings.Fields(line)
	first, last := words[0], words[len(words)-1]
	before, isFirst := strconv.Atoi(first)
	after, isLast := strconv.Atoi(last)
	switch {
	case len(words) == 1 && isFirst == nil:
		return "", before, nil
	case isFirst == nil && isLast == nil && strings.TrimLeft(line, " \t") == line:
		return "", 0, lab.Usagef("line %d, %q: which of the two is the count? Give instances names that are no numbers", number, line)
	case isFirst == nil:
		return strings.Join(words[1:], " "), before, nil
	case isLast == nil && len(words) > 1:
		return strings.Join(words[:len(words)-1], " "), after, nil
	}
	return "", 0, lab.Usagef("line %d, %q: it takes a name and a count", number, line)
}
