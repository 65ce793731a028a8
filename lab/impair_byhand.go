package lab

import (
	"slices"
	"time"
)

// LinkEnd is one end of a link, for commands by hand.
type LinkEnd struct {
	Name  string // of the link, at this end
	Shell string // the prefix of a command that runs there; empty on the machine itself
}

// TimedCommands are commands by hand at a time of the load.
type TimedCommands struct {
	At    time.Duration `json:"at_ns"` // into the load
	Shell []string      `json:"shell"`
}

// Course are the commands of what is done while load is offered.
func (e *Explanation) Course() []TimedCommands {
	return slices.DeleteFunc(e.course(), func(c TimedCommands) bool { return c.At <= 0 })
}

func (e *Explanation) course() []TimedCommands {
	var all []TimedCommands
	var before Impairment
	for _, i := range e.Impairments {
		all = append(all, TimedCommands{At: i.At, Shell: i.Impairment.shell(e.LAN, before)})
		before = i.Impairment
	}
	return all
}

// shell are the commands that give both ends of a link an impairment where they
// have another.
func (i Impairment) shell(lan []LinkEnd, before Impairment) []string {
	var all []string
	for _, end := range lan {
		if before != (Impairment{}) {
			all = append(all, end.under("tc", "qdisc", "del", "dev", end.Name, "root"))
		}
		if i != (Impairment{}) {
			all = append(all, end.under(append([]string{"tc", "qdisc", "add", "dev", end.Name, "root"}, i.netem()...)...))
		}
	}
	return all
}

// under is a command that runs where the end is.
func (e LinkEnd) under(words ...string) string {
	if e.Shell == "" {
		return ShellLine(words...)
	}
	return ShellUnder(e.Shell, ShellLine(words...))
}
