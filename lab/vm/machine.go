package vm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/portlab/portlab/lab"
)

// Config is what a machine is to be.
type Config struct {
	Image Image
	Name  string // its host name; empty: portlab
	// CPUs are how many processors it has; 0: two, or one if this machine has one.
	CPUs      int
	MemoryMiB int // 0: 1024, and 2048 where the image has a disk
	// Files are put into the machine before anything runs: path there, absolute,
	// to path of a file or folder here.
	Files  map[string]string
	Links  []Link
	Engine bool     // start a Docker engine, of which the image must have one
	Env    []string // of all that runs in the machine, as KEY=value
	Accel  string   // how its processor is made; empty: [AccelAuto]
	// Binary is the path of the project's own static binary; empty: the program
	// that runs now.
	Binary string
	// Patience is how long it may take until commands can be run; 0: 5 minutes,
	// since it may be emulated on a busy machine.
	Patience time.Duration
	Console  io.Writer // gets what the guest's kernel writes; may be nil
}

// Link is a network card of a machine, and what it is plugged into.
type Link struct {
	Switch  *Switch
	Address netip.Prefix // of the machine on that network
}

// defaultPatience is how long a machine may take to start: some twenty times
// what one with an engine takes, emulated.
const defaultPatience = 5 * time.Minute

// Machine is a virtual machine that runs. It is safe for concurrent use.
type Machine struct {
	image    Image
	emulated bool
	why      string // not KVM
	qemu     *process
	conn     *http.ClientConn
	ports    []*port
}

// Start starts a machine, and returns when commands can be run on it and its
// engine answers, if it is to have one. It returns a [lab.UsageError] for a
// Config that makes no sense, and a [lab.UnsupportedError] where there is no
// QEMU, or an image is for another processor. Where the machine fails to
// start, the error holds the end of what its console said.
//
// Nothing of a machine outlives this process, SIGKILL included: QEMU ends with
// it (prctl(2), PR_SET_PDEATHSIG), and what it reads and writes has no name.
func Start(ctx context.Context, c Config) (*Machine, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	e, path, err := findEmulator()
	if err != nil {
		return nil, err
	}
	cache := filepath.Dir(c.Image.Dir)
	try, why := accelerators(c.Accel, cache)
	for i, accel := range try {
		patience := c.Patience
		if i < len(try)-1 {
			patience = kvmTime
		}
		m, err := c.start(ctx, e, path, accel, patience)
		switch {
		case err == nil:
			m.why = why
			return m, nil
		case i == len(try)-1 || ctx.Err() != nil:
			return nil, err
		}
		noteFailed(cache)
		why = "KVM does not work on this machine"
	}
	return nil, errors.New("there is no way to run a machine")
}

// complete fills in what was left open, and checks the rest.
func (c *Config) complete() error {
	memory := 1024
	if c.Image.Disk != "" {
		memory = 2048
	}
	c.Name, c.Accel = cmp.Or(c.Name, "portlab"), cmp.Or(c.Accel, AccelAuto)
	c.CPUs, c.MemoryMiB = cmp.Or(c.CPUs, min(2, runtime.NumCPU())), cmp.Or(c.MemoryMiB, memory)
	c.Binary, c.Patience = cmp.Or(c.Binary, "/proc/self/exe"), cmp.Or(c.Patience, defaultPatience)
	switch {
	case c.CPUs < 1:
		return lab.Usagef("a machine has at least one processor, not %d", c.CPUs)
	case c.MemoryMiB < leastMemory:
		return lab.Usagef("a machine needs at least %d MiB of memory, not %d", leastMemory, c.MemoryMiB)
	case c.Engine && c.Image.Kind != Docker:
		return lab.Usagef("the image %s has no engine: use one of the kind %s", c.Image.Name, Docker)
	case c.Image.Arch != "" && c.Image.Arch != runtime.GOARCH:
		return &lab.UnsupportedError{
			What: "image " + c.Image.Name, Reason: fmt.Sprintf("it is for %s, and this portlab for %s", c.Image.Arch, runtime.GOARCH),
			Remedy: "make one here: " + remedy(c.Image.Name),
		}
	}
	files := map[string]string{}
	for at, from := range c.Files {
		if !path.IsAbs(at) || path.Clean(at) == "/" {
			return lab.Usagef("a file's place in the machine is an absolute path, not %q", at)
		}
		target, err := filepath.EvalSymlinks(from)
		if err != nil {
			return lab.Usagef("cannot put %s into the machine: %v", from, err)
		}
		files[path.Clean(at)] = target
	}
	c.Files = files
	return checkAccel(c.Accel)
}

// leastMemory is what the smallest image starts with, in MiB.
const leastMemory = 256

// start starts a machine on an accelerator. Its agent has to answer in time.
func (c Config) start(ctx context.Context, e emulator, qemu, accel string, patience time.Duration) (_ *Machine, err error) {
	m := &Machine{image: c.Image, emulated: accel == accelTCG}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.Close())
		}
	}()
	var inherited []*os.File
	defer func() { closeAll(inherited) }() // QEMU has its own
	inherit := func(f *os.File, err error) error {
		if err == nil {
			inherited = append(inherited, f)
		}
		return err
	}
	o := c.orders(m.emulated)
	if err := inherit(c.initrd(o)); err != nil {
		return nil, err
	}
	if err := inherit(m.connect(ctx)); err != nil {
		return nil, err
	}
	for _, l := range c.Links {
		if err := inherit(m.plug(l.Switch)); err != nil {
			return nil, err
		}
	}
	if m.qemu, err = startQEMU(qemu, c.arguments(e, accel, o.Cards), inherited, c.Console); err != nil {
		return nil, err
	}
	if err := m.await(ctx, pathHello, patience); err != nil {
		return nil, err
	}
	if !c.Engine {
		return m, nil
	}
	return m, m.await(ctx, pathEngine, c.Patience)
}

// orders are what this configuration has the machine's process 1 do.
func (c Config) orders(emulated bool) orders {
	o := orders{
		Name: c.Name, Image: c.Image.Name, Emulated: emulated, Disk: c.Image.Disk != "", Engine: c.Engine, Env: c.Env,
		Files: slices.Sorted(maps.Keys(c.Files)),
	}
	for _, l := range c.Links {
		o.Cards = append(o.Cards, card{Hardware: newHardware().String(), Address: l.Address})
	}
	return o
}

// plug makes a port for a card of the machine, and gives the machine's end.
func (m *Machine) plug(s *Switch) (*os.File, error) {
	p, theirs, err := s.plug()
	if err == nil {
		m.ports = append(m.ports, p)
	}
	return theirs, err
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close() // of nothing that was written here
	}
}

// Emulated says whether an emulator stands for the machine's processor: then
// nothing that takes time in it says how long it would take elsewhere.
func (m *Machine) Emulated() bool { return m.emulated }

// String says what the machine is, such as "tiny-bookworm (Linux 6.1.0-42,
// emulated: /dev/kvm: permission denied)".
func (m *Machine) String() string {
	how := "on KVM"
	if m.emulated {
		how = "emulated"
		if m.why != "" {
			how += ": " + m.why
		}
	}
	return fmt.Sprintf("%s (Linux %s, %s)", m.image.Name, m.image.Release, how)
}

// Close throws the machine away, at once. It is idempotent.
func (m *Machine) Close() error {
	if m.qemu != nil {
		m.qemu.kill()
	}
	var errs []error
	if m.conn != nil {
		errs = append(errs, m.conn.Close())
	}
	for _, p := range m.ports {
		errs = append(errs, p.close())
	}
	m.ports = nil
	return errors.Join(errs...)
}
