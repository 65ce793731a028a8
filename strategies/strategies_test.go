package strategies

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab"
)

func TestAllIsSortedByName(t *testing.T) {
	byName := func(a, b lab.Strategy) int { return strings.Compare(a.Name(), b.Name()) }
	if !slices.IsSortedFunc(All(), byName) {
		t.Error("the strategies are not sorted by name")
	}
}

func TestFind(t *testing.T) {
	s, err := Find("dnat")
	if err != nil || s.Name() != "dnat" {
		t.Fatalf("Find(dnat) = %v, %v", s, err)
	}
	for typed, want := range map[string]string{
		"dant": "did you mean dnat?", "DNAT": "did you mean dnat?", "ngnix": "did you mean nginx?",
		"reuse-port": "did you mean reuseport?", "zzzzzz": "use one of caddy, ", "": "use one of",
	} {
		_, err := Find(typed)
		var usage *lab.UsageError
		if !errors.As(err, &usage) {
			t.Errorf("Find(%q): %v, want a usage error", typed, err)
			continue
		}
		if !strings.Contains(usage.Problem, want) {
			t.Errorf("Find(%q): %q, want %q in it", typed, usage.Problem, want)
		}
	}
}

func TestRegisterPanicsOnASecondOfOneName(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	register(dnat{})
}
