package labtest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/portlab/portlab/lab"
)

// BPF gives the attached programs.
func (h *Host) BPF() lab.BPF { return programs{h} }

// WithoutBPF makes the host support no hook, for the reason err.
func (h *Host) WithoutBPF(err error) { h.given(func() { h.noBPF = err }) }

// programs is the fake of [lab.BPF].
type programs struct{ h *Host }

func (b programs) Supports(context.Context, lab.BPFHook, lab.Family) error {
	b.h.mu.Lock()
	defer b.h.mu.Unlock()
	return b.h.noBPF
}

func (b programs) Attach(ctx context.Context, p lab.BPFProgram) error {
	return b.change(ctx, "attach "+p.Name, func() error {
		if _, there := b.h.bpf[p.Name]; there {
			return fmt.Errorf("the BPF program %s is attached already", p.Name)
		}
		return b.set(p)
	})
}

func (b programs) Replace(ctx context.Context, p lab.BPFProgram) error {
	return b.change(ctx, "replace "+p.Name, func() error {
		old, there := b.h.bpf[p.Name]
		switch {
		case !there:
			return fmt.Errorf("the BPF program %s is not attached", p.Name)
		case old.Hook != p.Hook || !reflect.DeepEqual(old.Front, p.Front):
			return fmt.Errorf("the BPF program %s cannot change what it is attached to", p.Name)
		}
		return b.set(p)
	})
}

func (b programs) Detach(ctx context.Context, name string) error {
	return b.change(ctx, "detach "+name, func() error {
		delete(b.h.bpf, name)
		return nil
	})
}

func (b programs) change(ctx context.Context, what string, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.h.mu.Lock()
	defer b.h.mu.Unlock()
	if err := b.h.mutate(what); err != nil {
		return err
	}
	return f()
}

// set refuses what no kernel would attach.
func (b programs) set(p lab.BPFProgram) error {
	if err := b.h.checkBPF(p); err != nil {
		return fmt.Errorf("BPF program %s: %w", p.Name, err)
	}
	b.h.bpf[p.Name] = p
	return nil
}

// hooks are those of [lab.BPF], with the methods that each has.
var hooks = map[lab.BPFHook][]string{
	lab.BPFReuseportClassic: {lab.MethodRandom},
	lab.BPFReuseport:        {lab.MethodRandom, lab.MethodTurn},
	lab.BPFLookup:           {lab.MethodRandom, lab.MethodTurn, lab.MethodHash},
	lab.BPFConnect:          {lab.MethodRandom, lab.MethodTurn},
}

func (h *Host) checkBPF(p lab.BPFProgram) error {
	methods, known := hooks[p.Hook]
	switch {
	case !known:
		return fmt.Errorf("unknown hook %q", p.Hook)
	case !slices.Contains(methods, p.Method):
		return fmt.Errorf("%s cannot choose by %q", p.Hook, p.Method)
	case p.Name == "" || len(p.Front) == 0 || len(p.Replicas) == 0:
		return errors.New("it has no name, no front or no replicas")
	case p.Transport != "tcp" && p.Transport != "udp":
		return fmt.Errorf("%q is no transport", p.Transport)
	}
	for _, f := range p.Front {
		if !h.isLocal(f.Addr()) {
			return fmt.Errorf("%s is none of the host's addresses", f)
		}
	}
	for _, r := range p.Replicas {
		if err := h.checkTarget(p, r); err != nil {
			return err
		}
	}
	return nil
}

// checkTarget refuses a replica that the hook cannot lead to: it takes a socket
// of the host's, or leads to another machine.
func (h *Host) checkTarget(p lab.BPFProgram, r lab.Replica) error {
	onFront := slices.Contains(p.Front, r.Address)
	switch {
	case familyOf(r.Address) != familyOf(p.Front[0]):
		return fmt.Errorf("%s is at %s, which is of another IP version than the front", r.Instance, r.Address)
	case p.Hook == lab.BPFConnect && onFront:
		return fmt.Errorf("%s is at the front already", r.Instance)
	case p.Hook == lab.BPFLookup && !h.isLocal(r.Address.Addr()):
		return fmt.Errorf("%s at %s is no socket of this host", r.Instance, r.Address)
	case (p.Hook == lab.BPFReuseport || p.Hook == lab.BPFReuseportClassic) && !onFront:
		return fmt.Errorf("%s at %s does not share the front's port", r.Instance, r.Address)
	}
	return nil
}

// bpfLine understands the two lines that steps write: portlab's own command in
// the background, and the end of it.
func (h *Host) bpfLine(line string) (understood bool, err error) {
	if command, file, ok := strings.Cut(line, " & echo $! > "); ok && strings.HasPrefix(command, "portlab bpf ") {
		words, err := split(command)
		if err != nil {
			return true, err
		}
		p, err := lab.ParseBPFProgram(words[2:])
		if err == nil && file != pidFile(p) {
			err = fmt.Errorf("%s is not the file of this program", file)
		}
		if err != nil {
			return true, err
		}
		return true, h.BPF().Attach(context.Background(), p)
	}
	for _, p := range h.BPFPrograms() {
		if line == `kill "$(cat `+pidFile(p)+`)" && rm `+pidFile(p) {
			return true, h.BPF().Detach(context.Background(), p.Name)
		}
	}
	return false, nil
}

func pidFile(p lab.BPFProgram) string { return "/tmp/" + p.Name + ".pid" }

// BPFPrograms lists the attached programs, by name.
func (h *Host) BPFPrograms() []lab.BPFProgram {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []lab.BPFProgram
	for _, p := range h.bpf {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b lab.BPFProgram) int { return strings.Compare(a.Name, b.Name) })
	return all
}
