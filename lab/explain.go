package lab

import (
	"context"
	"slices"
)

// Explanation is what a trial would do, in words and in commands.
type Explanation struct {
	Blueprint
	Steps       []Step
	Impairments []TimedImpairment // of the LAN
}

// Explain says what [Run] would do, by the very steps that it would apply, and
// changes nothing.
func Explain(ctx context.Context, t *Trial) (*Explanation, error) {
	b, err := t.Runtime.Draft(ctx, t.Spec())
	if err != nil {
		return nil, err
	}
	if err := t.elsewhere(b); err != nil {
		return nil, err
	}
	steps, err := t.Strategy.Steps(b.Facts, b.Front, b.Replicas)
	if err != nil {
		return nil, err
	}
	return &Explanation{Blueprint: b, Steps: steps, Impairments: t.Impairments}, nil
}

// Commands are the explanation's commands by hand, replicas first.
func (e *Explanation) Commands() []string {
	all := slices.Clone(e.Shell)
	for _, s := range e.Steps {
		all = append(all, e.onHost(s.Shell())...)
	}
	for _, c := range e.course() {
		if c.At <= 0 {
			all = append(all, c.Shell...)
		}
	}
	return all
}

// Back are the commands that undo [Explanation.Commands], last change first.
func (e *Explanation) Back() []string {
	var all []string
	for _, s := range slices.Backward(e.Steps) {
		all = append(all, e.onHost(s.Undo())...)
	}
	return append(all, e.Undo...)
}

// onHost has lines run on the host: as they are where that is the machine.
func (e *Explanation) onHost(lines []string) []string {
	if e.HostShell == "" {
		return lines
	}
	all := make([]string, len(lines))
	for i, line := range lines {
		all[i] = ShellUnder(e.HostShell, line)
	}
	return all
}

// Caveats are what the user of the trial's strategy must know, a warning first.
func (t *Trial) Caveats() []string {
	all := []string{}
	if w, ok := t.Strategy.(Warner); ok {
		all = append(all, w.Warning())
	}
	about := t.Strategy.About()
	all = append(all, about.Caveats...)
	if t.Plan.Protocol == UDP {
		all = append(all, about.OverUDP...)
	}
	return append(all, t.Fleet.Link.Caveats()...)
}
