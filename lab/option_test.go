package lab

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// tunable is a strategy with two options.
type tunable struct {
	Strategy
	settings map[string]string
}

func (tunable) Name() string { return "tunable" }

func (tunable) Options() []Option {
	return []Option{
		{Name: Method, Values: []string{MethodTurn, MethodRandom}, Meaning: "how a replica is chosen"},
		{Name: "checks", Values: []string{"off", "on"}, Meaning: "whether replicas are asked for their health"},
	}
}

func (t tunable) Settings() map[string]string {
	if t.settings == nil {
		return Defaults(t.Options())
	}
	return t.settings
}

func (t tunable) With(settings map[string]string) Strategy {
	t.settings = settings
	return t
}

func TestFullNameIsReadAsItIsWritten(t *testing.T) {
	for _, want := range []string{"tunable", "tunable:method=random", "tunable:method=random,checks=on"} {
		name, settings, err := ParseFullName(want)
		if err != nil || name != "tunable" {
			t.Fatalf("%q: %q, %v", want, name, err)
		}
		s, err := Configure(tunable{}, settings)
		if err != nil {
			t.Fatal(err)
		}
		if got := FullName(s); got != want {
			t.Errorf("%q became %q", want, got)
		}
	}
}

func TestConfigureChangesWhatIsAskedForAlone(t *testing.T) {
	s, err := Configure(tunable{}, map[string]string{"checks": "on"})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]string{Method: MethodTurn, "checks": "on"}, SettingsOf(s)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(Defaults(tunable{}.Options()), SettingsOf(tunable{})); d != "" {
		t.Errorf("the strategy that was configured has changed itself:\n%s", d)
	}
}

func TestBadSettingsAreUsageErrors(t *testing.T) {
	for _, text := range []string{
		"tunable:", "tunable:method", "tunable:=rr", "tunable:method=", "tunable:method=rr,method=rr",
		"tunable:methods=rr", "tunable:method=best", "tunable:mode=tcp",
	} {
		_, settings, err := ParseFullName(text)
		if err == nil {
			_, err = Configure(tunable{}, settings)
		}
		if _, usage := errors.AsType[*UsageError](err); !usage {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := Configure(&plain{}, map[string]string{Method: MethodTurn}); err == nil {
		t.Error("a strategy without options took one")
	}
}

// plain is a strategy without options.
type plain struct{ Strategy }

func (*plain) Name() string { return "plain" }

func FuzzParseFullName(f *testing.F) {
	for _, seed := range []string{"nginx", "nginx:method=random", "a:b=c,d=e", ":", "a:b=c=d"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name, settings, err := ParseFullName(text)
		if _, usage := errors.AsType[*UsageError](err); err != nil && !usage {
			t.Fatalf("%q: %v", text, err)
		}
		if err == nil && len(settings) == 0 && name != text {
			t.Errorf("%q lost something: %q", text, name)
		}
	})
}

// shown is what a result says of a strategy beside its options.
type shown struct{ Strategy }

func (shown) Name() string { return "tunable" }
func (shown) About() About { return About{} }
func (shown) Needs() Needs { return Needs{} }

type nowhere struct{ Runtime }

func (nowhere) Name() string { return "nowhere" }

func TestResultNamesItsStrategyAsItIsTyped(t *testing.T) {
	for _, want := range []string{"tunable", "tunable:checks=on"} {
		_, changes, err := ParseFullName(want)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Configure(tunable{Strategy: shown{}}, changes)
		if err != nil {
			t.Fatal(err)
		}
		trial := &Trial{Strategy: s, Runtime: nowhere{}}
		if r := trial.newResult(time.Now()); r.FullName() != want || r.Strategy != "tunable" {
			t.Errorf("%s: the result is that of %s, %s", want, r.Strategy, r.FullName())
		}
	}
}
