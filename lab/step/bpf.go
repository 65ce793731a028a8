package step

import (
	"context"
	"fmt"

	"github.com/portlab/portlab/lab"
)

// BPF is a program in the kernel that leads to the replicas what comes to the
// front. It belongs to replicas that listen already.
type BPF struct{ lab.BPFProgram }

// ID names the program.
func (s BPF) ID() string { return "BPF program " + s.Name }

// Apply loads and attaches the program.
func (s BPF) Apply(ctx context.Context, h lab.Host) error { return h.BPF().Attach(ctx, s.BPFProgram) }

// Replace puts the next program in the place of this one: each packet meets the
// one or the other.
func (s BPF) Replace(ctx context.Context, h lab.Host, next lab.Step) error {
	n, ok := next.(BPF)
	if !ok || n.ID() != s.ID() {
		return fmt.Errorf("%s cannot become %s", s.ID(), next.ID())
	}
	return h.BPF().Replace(ctx, n.BPFProgram)
}

// Revert detaches the program.
func (s BPF) Revert(ctx context.Context, h lab.Host) error { return h.BPF().Detach(ctx, s.Name) }

// pidFile holds the process that attached the program by hand.
func (s BPF) pidFile() string { return "/tmp/" + s.Name + ".pid" }

// Shell attaches the program by portlab itself, since no other command
// assembles one: a process in the background holds it.
func (s BPF) Shell() []string {
	words := append([]string{"portlab", "bpf"}, s.Words()...)
	return []string{lab.ShellLine(words...) + " & echo $! > " + s.pidFile()}
}

// Undo ends that process, which detaches the program.
func (s BPF) Undo() []string {
	return []string{`kill "$(cat ` + s.pidFile() + `)" && rm ` + s.pidFile()}
}
