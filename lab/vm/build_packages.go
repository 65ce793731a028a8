package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/portlab/portlab/lab"
)

// programPackages are the packages whose programs every image has: what sets up
// networks, and shells. The C library's and busybox's own shells take their own
// ip before iproute2's, so the shell is dash.
var programPackages = []string{"busybox-static", "conntrack", "dash", "iproute2", "iptables", "ipvsadm", "netbase", "nftables"}

// dockerPackages are those of a Docker engine. It loads modules by modprobe.
var dockerPackages = []string{"docker.io", "kmod"}

// builder makes one image in a folder of its own.
type builder struct {
	cfg   BuildConfig
	dir   string
	apt   *apt
	plan  []fetch
	image Image // as far as it is known
	// root is the system of the guest, libs what is only there to be linked
	// against; each in its folder.
	root, libs *os.Root
}

func newBuilder(cfg BuildConfig, dir string) (_ *builder, err error) {
	b := &builder{cfg: cfg, dir: dir}
	b.image = Image{Kind: cfg.Kind, Suite: cfg.Suite, Arch: cfg.Arch, Dir: filepath.Join(dir, "image"), Lacks: []string{}}
	b.image.Kernel = filepath.Join(b.image.Dir, kernelFile)
	b.image.Initrd = filepath.Join(b.image.Dir, initrdFile)
	for _, sub := range []string{"image", "root", "libs"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	if b.root, err = os.OpenRoot(filepath.Join(dir, "root")); err != nil {
		return nil, err
	}
	if b.libs, err = os.OpenRoot(filepath.Join(dir, "libs")); err != nil {
		return nil, errors.Join(err, b.root.Close())
	}
	return b, nil
}

func (b *builder) close() error { return errors.Join(b.root.Close(), b.libs.Close()) }

// fetch fetches the packages of the image, and says beforehand what it fetches.
func (b *builder) fetch(ctx context.Context, d distribution) error {
	b.cfg.Watch(lab.Event{Phase: Listing, Note: fmt.Sprintf("fetching the lists of packages of %s, by this machine's apt", b.cfg.Suite)})
	acquire, err := aptAcquire(ctx)
	if err != nil {
		return err
	}
	if b.apt, err = newApt(filepath.Join(b.dir, "apt"), d, b.cfg.Suite, b.cfg.Arch, acquire, b.standIns()); err != nil {
		return err
	}
	if err := b.apt.update(ctx); err != nil {
		return err
	}
	names := b.wanted(ctx)
	if b.plan, err = b.apt.plan(ctx, names); err != nil {
		return err
	}
	b.cfg.Watch(lab.Event{Phase: Downloading, Note: estimate(b.plan, b.cfg.Suite)})
	return b.apt.download(ctx, names, b.quarters())
}

// standIns are the packages that apt takes as installed.
func (b *builder) standIns() []string {
	names := slices.Clone(standIns)
	if b.cfg.Kind == Tiny {
		names = append(names, "kmod") // busybox has a modprobe
	}
	return slices.DeleteFunc(names, func(n string) bool { return slices.Contains(b.cfg.With, n) })
}

// wanted are the packages that the image is asked to have.
func (b *builder) wanted(ctx context.Context) []string {
	names := slices.Clone(programPackages)
	if b.cfg.Kernel == "" {
		names = append(names, "linux-image-cloud-"+b.cfg.Arch)
	}
	if b.cfg.Kind == Docker {
		names = append(names, dockerPackages...)
		if client := "docker-cli"; b.apt.knows(ctx, client) { // else docker.io has it
			names = append(names, client)
		}
	}
	names = append(names, b.cfg.With...)
	slices.Sort(names)
	return slices.Compact(names)
}

// quarters tells each time another quarter of the packages has come.
func (b *builder) quarters() func(percent int) {
	told := 0
	return func(percent int) {
		if q := percent / 25; q > told && q < 4 {
			told = q
			b.cfg.Watch(lab.Event{Phase: Downloading, Note: fmt.Sprintf("%d%% of the packages have come", 25*q)})
		}
	}
}

// unpack puts the packages into the folders, and adds what the packages'
// scripts would have made.
func (b *builder) unpack(ctx context.Context) error {
	b.cfg.Watch(lab.Event{Phase: Unpacking})
	u, err := newUnpacker()
	if err != nil {
		return err
	}
	b.image.Packages = []Package{}
	for _, f := range b.plan {
		into := b.root
		library, err := u.library(ctx, b.apt.path(f))
		if err != nil {
			return err
		}
		if library && b.cfg.Kind == Tiny && !slices.Contains(b.cfg.With, f.Name) {
			into = b.libs
		}
		if err := u.unpack(ctx, b.apt.path(f), into); err != nil {
			return err
		}
		b.image.Packages = append(b.image.Packages, f.Package)
	}
	if err := addLibraries(b.root, b.libs); err != nil {
		return err
	}
	return b.furnish(ctx)
}
