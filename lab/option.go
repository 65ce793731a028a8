package lab

import (
	"maps"
	"slices"
	"strings"
)

// Option is a setting of a strategy that its user may choose, such as the
// method by which a proxy balances.
type Option struct {
	Name    string   // lower case, words joined by hyphens, such as method
	Values  []string // all that it may be, the default first
	Meaning string   // one line, for people
}

// Method is the name of the option that says by which rule a replica is
// chosen, and these are its values where strategies have them in common.
const (
	Method          = "method"
	MethodTurn      = "rr"        // in turn, by weight
	MethodRandom    = "random"    // at random
	MethodLeastConn = "leastconn" // the replica with the fewest connections
	MethodHash      = "hash"      // fixed for each client's address
)

// Configurable is a [Strategy] with options. Its needs, its null above all, are
// those of its settings.
type Configurable interface {
	Strategy
	// Options lists them, in the order in which they are shown.
	Options() []Option
	// Settings gives the value of each option.
	Settings() map[string]string
	// With returns the same strategy with these settings: one valid value for
	// each option.
	With(settings map[string]string) Strategy
}

// OptionsOf lists a strategy's options; most have none.
func OptionsOf(s Strategy) []Option {
	if c, ok := s.(Configurable); ok {
		return c.Options()
	}
	return nil
}

// SettingsOf gives the value of each of a strategy's options; nil if it has none.
func SettingsOf(s Strategy) map[string]string {
	if c, ok := s.(Configurable); ok {
		return maps.Clone(c.Settings())
	}
	return nil
}

// Configure returns a strategy with some of its settings changed. It returns a
// [UsageError] for an option that the strategy has not, or a value that the
// option cannot have.
func Configure(s Strategy, changes map[string]string) (Strategy, error) {
	if len(changes) == 0 {
		return s, nil
	}
	c, ok := s.(Configurable)
	if !ok {
		return nil, Usagef("%s has no options to set: leave %s out", s.Name(), strings.Join(slices.Sorted(maps.Keys(changes)), ", "))
	}
	settings := SettingsOf(s)
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		o, err := findOption(c, name)
		if err != nil {
			return nil, err
		}
		if value := changes[name]; !slices.Contains(o.Values, value) {
			return nil, Usagef("the option %s of %s cannot be %q: use one of %s", name, s.Name(), value, strings.Join(o.Values, ", "))
		}
		settings[name] = changes[name]
	}
	return c.With(settings), nil
}

func findOption(c Configurable, name string) (Option, error) {
	var names []string
	for _, o := range c.Options() {
		if o.Name == name {
			return o, nil
		}
		names = append(names, o.Name)
	}
	if near, found := Nearest(name, names); found {
		return Option{}, Usagef("%s has no option %q: did you mean %s?", c.Name(), name, near)
	}
	return Option{}, Usagef("%s has no option %q: use one of %s", c.Name(), name, strings.Join(names, ", "))
}

// Defaults are the settings of options that nobody has changed.
func Defaults(options []Option) map[string]string {
	settings := make(map[string]string, len(options))
	for _, o := range options {
		settings[o.Name] = o.Values[0]
	}
	return settings
}

// FullName is a strategy's name with the settings that are not the defaults,
// as it can be typed: "haproxy:method=random,mode=tcp".
func FullName(s Strategy) string {
	settings := SettingsOf(s)
	var changed []string
	for _, o := range OptionsOf(s) {
		if v := settings[o.Name]; v != o.Values[0] {
			changed = append(changed, o.Name+"="+v)
		}
	}
	if len(changed) == 0 {
		return s.Name()
	}
	return s.Name() + ":" + strings.Join(changed, ",")
}

// ParseFullName takes apart what [FullName] makes: a name and, behind a colon,
// settings joined by commas. What cannot be read is a [UsageError].
func ParseFullName(text string) (name string, settings map[string]string, err error) {
	name, list, found := strings.Cut(text, ":")
	if !found {
		return name, nil, nil
	}
	settings = map[string]string{}
	for pair := range strings.SplitSeq(list, ",") {
		option, value, ok := strings.Cut(pair, "=")
		switch _, twice := settings[option]; {
		case !ok || option == "" || value == "":
			return "", nil, Usagef("cannot read the setting %q in %q: write NAME:OPTION=VALUE, such as nginx:method=random", pair, text)
		case twice:
			return "", nil, Usagef("%q sets %s twice", text, option)
		}
		settings[option] = value
	}
	return name, settings, nil
}
