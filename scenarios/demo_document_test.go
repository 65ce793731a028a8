package scenarios_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// typed is a command of docs/demo.md, with what the document shows of its output.
type typed struct {
	at    string // whose prompt it stands behind: see prompt
	line  string // for a shell, or interrupt
	shown []string
}

// interrupt, in place of a command, ends the one that is kept.
const interrupt = "^C"

// keeps says whether the command lasts until it is interrupted.
func (s typed) keeps() bool { return slices.Contains(strings.Fields(s.line), "--keep") }

// prompt is how the document says where a command is typed: on one's own machine,
// in the folder of the project, or on one of the Vagrantfile's.
var prompt = regexp.MustCompile(`^(you|host|client)\$ (.+)$`)

// readSteps reads the blocks of a Markdown document that are marked as console,
// in their order: commands behind prompts, and below each what it prints.
func readSteps(document string) ([]typed, error) {
	var steps []typed
	inside := false
	for i, line := range strings.Split(document, "\n") {
		switch m := prompt.FindStringSubmatch(line); {
		case strings.HasPrefix(line, "```"):
			inside = line == "```console"
		case !inside:
		case m != nil:
			steps = append(steps, typed{at: m[1], line: m[2]})
		case line == interrupt:
			steps = append(steps, typed{line: interrupt})
		case len(steps) == 0:
			return nil, fmt.Errorf("line %d shows an output of no command", i+1)
		default:
			last := &steps[len(steps)-1]
			last.shown = append(last.shown, line)
		}
	}
	return steps, nil
}

func demo(t *testing.T) []typed {
	t.Helper()
	document, err := os.ReadFile("../docs/demo.md")
	if err != nil {
		t.Fatal(err)
	}
	steps, err := readSteps(string(document))
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

// count is how often one instance answered, as portlab's table of instances says
// it, or uniq -c of what the servers answer.
var count = regexp.MustCompile(`^ +(?:(\w+) +(\d+) +[\d.]+%|(\d+) Hello from (\w+)$)`)

// counts reads who answered how often from the lines of an output.
func counts(lines []string) map[string]int {
	found := map[string]int{}
	for _, line := range lines {
		m := count.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		n, err := strconv.Atoi(m[2] + m[3])
		if err != nil {
			panic(err) // a number that the expression has let pass
		}
		found[m[1]+m[4]] = n
	}
	return found
}

func TestReadSteps(t *testing.T) {
	steps, err := readSteps("A word.\n\n```console\nhost$ portlab run dnat --keep\n  foo   148  49.3%  50.0%  ███\n  bar   152  50.7%\n```\n" +
		"\n```sh\nhost$ no command\n```\n\n```console\nclient$ curl | uniq -c\n    141 Hello from foo\n^C\n```\n")
	if err != nil {
		t.Fatal(err)
	}
	if len(steps) != 3 || steps[0].at != "host" || !steps[0].keeps() || steps[1].at != "client" || steps[1].keeps() || steps[2].line != interrupt {
		t.Fatalf("%+v", steps)
	}
	if got := counts(steps[0].shown); len(got) != 2 || got["foo"] != 148 || got["bar"] != 152 {
		t.Errorf("counts of a table: %v", got)
	}
	if got := counts(steps[1].shown); len(got) != 1 || got["foo"] != 141 {
		t.Errorf("counts of uniq: %v", got)
	}
	if _, err := readSteps("```console\noutput\n```"); err == nil {
		t.Error("an output without a command is read")
	}
}

// The walk can be gone from its first line to its last: it begins with machines
// and ends without, and what is kept is ended before something else is.
func TestDemoIsWhole(t *testing.T) {
	steps := demo(t)
	if first := steps[0]; first.at != "you" || !strings.HasPrefix(first.line, "vagrant up") {
		t.Errorf("it begins with %q", first.line)
	}
	if last := steps[len(steps)-1]; last.at != "you" || !strings.HasPrefix(last.line, "vagrant destroy") {
		t.Errorf("it ends with %q", last.line)
	}
	kept, places := false, map[string]int{}
	for _, s := range steps {
		if ends := s.line == interrupt; ends != kept && (ends || s.keeps()) {
			t.Errorf("%q: something is kept: %v", s.line, kept)
		}
		kept = kept && s.line != interrupt || s.keeps()
		if len(counts(s.shown)) > 0 {
			places[s.at]++
		}
	}
	if kept || places["host"] < 2 || places["client"] < 2 {
		t.Errorf("kept at the end: %v; commands with counts: %v", kept, places)
	}
}
