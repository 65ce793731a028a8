package kernel

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// bpf implements [lab.BPF] for a namespace. Nothing is pinned: what a program is
// attached by is an open file of this process or a socket of a replica, so that
// the kernel takes the program away when they end, however they end.
type bpf struct {
	ns *Namespace

	mu       sync.Mutex
	attached map[string]attachment
}

// attachment is a program at its hook.
type attachment interface {
	// become loads a program and puts it at the hook, in the place of the one
	// that is there.
	become(ctx context.Context, p lab.BPFProgram) error
	// detach takes it away.
	detach(ctx context.Context) error
}

func newBPF(ns *Namespace) *bpf { return &bpf{ns: ns, attached: map[string]attachment{}} }

// at is an attachment to a hook, with no program yet.
func (b *bpf) at(hook lab.BPFHook) (attachment, error) {
	switch hook {
	case lab.BPFReuseportClassic:
		return &classicReuseport{ns: b.ns}, nil
	case lab.BPFReuseport:
		return &reuseportGroups{ns: b.ns}, nil
	case lab.BPFLookup:
		return &lookup{ns: b.ns}, nil
	case lab.BPFConnect:
		return &connectHook{ns: b.ns}, nil
	}
	return nil, lab.Usagef("%q is no hook of BPF", hook)
}

// Attach implements [lab.BPF].
func (b *bpf) Attach(ctx context.Context, p lab.BPFProgram) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.attached[p.Name] != nil {
		return fmt.Errorf("attach the BPF program %s: one of this name is attached", p.Name)
	}
	a, err := b.at(p.Hook)
	if err != nil {
		return err
	}
	if err := a.become(ctx, p); err != nil {
		return errors.Join(fmt.Errorf("attach the BPF program %s: %w", p.Name, err), a.detach(context.WithoutCancel(ctx)))
	}
	b.attached[p.Name] = a
	return nil
}

// Replace implements [lab.BPF].
func (b *bpf) Replace(ctx context.Context, p lab.BPFProgram) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.attached[p.Name]
	if a == nil {
		return fmt.Errorf("replace the BPF program %s: none of this name is attached", p.Name)
	}
	if err := a.become(ctx, p); err != nil {
		return fmt.Errorf("replace the BPF program %s: %w", p.Name, err)
	}
	return nil
}

// Detach implements [lab.BPF].
func (b *bpf) Detach(ctx context.Context, name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.attached[name]
	if a == nil {
		return nil
	}
	if err := a.detach(ctx); err != nil {
		return fmt.Errorf("detach the BPF program %s: %w", name, err)
	}
	delete(b.attached, name)
	return nil
}

// detachAll takes all programs away. It is idempotent, and joins errors.
func (b *bpf) detachAll(ctx context.Context) error {
	b.mu.Lock()
	names := make([]string, 0, len(b.attached))
	for name := range b.attached {
		names = append(names, name)
	}
	b.mu.Unlock()
	var errs []error
	for _, name := range names {
		errs = append(errs, b.Detach(ctx, name))
	}
	return errors.Join(errs...)
}

// load loads a program of eBPF.
func load(spec *ebpf.ProgramSpec) (*ebpf.Program, error) {
	_ = rlimit.RemoveMemlock() // a kernel before 5.11 counts maps as locked memory; a refusal shows below
	program, err := ebpf.NewProgram(spec)
	if err != nil {
		return nil, bpfError("load a program", err)
	}
	return program, nil
}

// newMap makes a map.
func newMap(spec ebpf.MapSpec) (*ebpf.Map, error) {
	_ = rlimit.RemoveMemlock() // as in load
	m, err := ebpf.NewMap(&spec)
	if err != nil {
		return nil, bpfError("make a map", err)
	}
	return m, nil
}

// bpfError turns what bpf(2) says into an [lab.UnsupportedError] where the
// kernel lacks something or this process the right to it.
func bpfError(what string, err error) error {
	if errors.Is(err, ebpf.ErrNotSupported) {
		return &lab.UnsupportedError{
			What: what, Reason: "this kernel does not support it: " + err.Error(), Remedy: "use a newer kernel: Linux 5.14 has all that portlab uses",
		}
	}
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return &lab.UnsupportedError{
			What: what + " of eBPF", Reason: "it takes CAP_BPF and CAP_NET_ADMIN outside of any user namespace, which this process does not have",
			Remedy: asRoot,
		}
	}
	return fmt.Errorf("%s of eBPF: %w", what, err)
}
