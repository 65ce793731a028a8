package vm

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
)

// entriesOf reads the names and contents of an archive of form newc, of its
// links the targets.
func entriesOf(t *testing.T, archive []byte) map[string]string {
	t.Helper()
	const header, magic = 110, "070701"
	align := func(n int) int { return (n + 3) &^ 3 }
	found := map[string]string{}
	for at := 0; ; {
		h := archive[at : at+header]
		if string(h[:len(magic)]) != magic {
			t.Fatalf("no entry at byte %d", at)
		}
		field := func(i int) int {
			n, err := strconv.ParseUint(string(h[len(magic)+8*i:][:8]), 16, 32)
			if err != nil {
				t.Fatal(err)
			}
			return int(n)
		}
		size, length := field(6), field(11)
		name := string(archive[at+header:][:length-1])
		if name == "TRAILER!!!" {
			return found
		}
		data := at + align(header+length)
		found[name] = string(archive[data:][:size])
		at = data + align(size)
	}
}

// fakeSystem are packages as a small system has them.
func fakeSystem(t *testing.T) map[string]string {
	t.Helper()
	kernel := map[string]string{"boot/vmlinuz-6.1.0-test": "kernel", "lib/modules/6.1.0-test/modules.builtin": "kernel/x/virtio_pci.ko\n"}
	for name, needs := range map[string]string{"virtio_net": "", "ip_vs": "nf_conntrack", "nf_conntrack": "", "sch_netem": "", "sound": ""} {
		kernel["lib/modules/6.1.0-test/kernel/x/"+name+".ko"] = string(fakeModule(t, "depends="+needs))
	}
	return map[string]string{
		"linux-image": fakeDeb(t, "Package: linux-image\nSection: kernel\n", kernel),
		"busybox":     fakeDeb(t, "Package: busybox\nSection: shells\n", map[string]string{"bin/busybox": "#!/bin/sh\necho ls; echo ip; echo modprobe\n"}),
		"iproute2":    fakeDeb(t, "Package: iproute2\nSection: net\n", map[string]string{"bin/ip": "#!/bin/sh\n", "sbin/ip": "-> /bin/ip"}),
		"unlinked":    fakeDeb(t, "Package: unlinked\nSection: libs\n", map[string]string{"usr/lib/libunlinked.so.1": "library"}),
	}
}

// builderOf is a builder whose packages have been fetched.
func builderOf(t *testing.T, cfg BuildConfig, debs map[string]string) *builder {
	t.Helper()
	b, err := newBuilder(cfg, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.close(); err != nil {
			t.Error(err)
		}
	})
	b.apt = &apt{dir: filepath.Join(b.dir, "apt")}
	if err := os.MkdirAll(b.apt.path(fetch{}), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, deb := range debs {
		f := fetch{Package: Package{Name: name, Version: "1:1.0", Arch: "all"}, file: name + ".deb"}
		if err := copyFile(deb, b.apt.path(f)); err != nil {
			t.Fatal(err)
		}
		b.plan = append(b.plan, f)
	}
	if err := b.unpack(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

// A tiny image holds its packages' programs, busybox for the rest, the modules
// that it is meant to have, and nothing of libraries that nobody uses.
func TestTinyImageHoldsWhatAMachineNeeds(t *testing.T) {
	b := builderOf(t, BuildConfig{Kind: Tiny, Suite: "bookworm", Watch: func(lab.Event) {}}, fakeSystem(t))
	if err := b.writeTiny(t.Context()); err != nil {
		t.Fatal(err)
	}
	archive, err := os.ReadFile(b.image.Initrd)
	if err != nil {
		t.Fatal(err)
	}
	const modules = "usr/lib/modules/6.1.0-test/"
	got := entriesOf(t, archive)
	for name, want := range map[string]string{
		"usr/bin/ip": "#!/bin/sh\n", "usr/sbin/ip": "/bin/ip", "usr/bin/ls": "busybox", "bin": "usr/bin", "usr/bin/sh": "dash",
		"usr/sbin/iptables": "xtables-nft-multi", "usr/sbin/modprobe": "../bin/busybox", "etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
		modules + "modules.dep": "kernel/x/virtio_net.ko:\nkernel/x/nf_conntrack.ko:\nkernel/x/ip_vs.ko: kernel/x/nf_conntrack.ko\nkernel/x/sch_netem.ko:\n",
		"portlab/modules":       "/" + modules + "kernel/x/virtio_net.ko\n/" + modules + "kernel/x/nf_conntrack.ko\n/" + modules + "kernel/x/ip_vs.ko\n",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	for _, name := range []string{modules + "kernel/x/sound.ko", "usr/lib/libunlinked.so.1", "boot/vmlinuz-6.1.0-test"} {
		if _, there := got[name]; there {
			t.Errorf("%s is in the image", name)
		}
	}
	if k, err := os.ReadFile(b.image.Kernel); err != nil || string(k) != "kernel" {
		t.Errorf("the kernel is %q (%v)", k, err)
	}
	if b.image.Release != "6.1.0-test" || !slices.Contains(b.image.Lacks, "veth") || slices.Contains(b.image.Lacks, "virtio_pci") {
		t.Errorf("the image says of its kernel %q, that it lacks %v", b.image.Release, b.image.Lacks)
	}
}

func TestImageWithAKernelOfOnesOwn(t *testing.T) {
	debs := fakeSystem(t)
	delete(debs, "linux-image")
	kernel := filepath.Join(t.TempDir(), "vmlinuz")
	if err := os.WriteFile(kernel, []byte("my kernel"), 0o644); err != nil {
		t.Fatal(err)
	}
	modules := fakeTree(t, map[string]string{"veth": "depends="}, "")
	b := builderOf(t, BuildConfig{Kind: Tiny, Suite: "bookworm", Kernel: kernel, Modules: modules, Watch: func(lab.Event) {}}, debs)
	if err := b.writeTiny(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.finish(); err != nil {
		t.Fatal(err)
	}
	i, err := load(b.image.Dir)
	if err != nil || i.Name != "tiny-bookworm-6.1.0-test" || i.Bytes == 0 {
		t.Errorf("the image is %+v (%v), want one named after the kernel's release", i, err)
	}
	if k, err := os.ReadFile(i.Kernel); err != nil || string(k) != "my kernel" {
		t.Errorf("the kernel is %q (%v)", k, err)
	}
}

func TestDockerImageHasItsSystemOnADisk(t *testing.T) {
	if err := (BuildConfig{Kind: Docker}).programs(); err != nil {
		labtest.Require(t, "vm", false, err.Error())
	}
	b := builderOf(t, BuildConfig{Kind: Docker, Suite: "bookworm", Watch: func(lab.Event) {}}, fakeSystem(t))
	if err := b.writeDocker(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"/usr/bin/ip": "#!/bin/sh\n", "/usr/lib/libunlinked.so.1": "library", "/etc/docker/daemon.json": engineConfig,
		"/lib/modules/6.1.0-test/kernel/x/sound.ko": string(fakeModule(t, "depends=")),
	} {
		if got := onDiskFile(t, b.image.Disk, name); got != want {
			t.Errorf("%s on the disk is %q, want %q", name, got, want)
		}
	}
	archive, err := os.ReadFile(b.image.Initrd)
	if err != nil {
		t.Fatal(err)
	}
	if got := entriesOf(t, archive); got["usr/bin/busybox"] == "" || got["usr/bin/ip"] != "" {
		t.Errorf("the initramfs beside the disk has not busybox alone")
	}
	if n, err := allocated(b.image.Disk); err != nil || n > diskRoom/8 {
		t.Errorf("an almost empty disk takes %d bytes (%v)", n, err)
	}
}

func onDiskFile(t *testing.T, disk, name string) string {
	t.Helper()
	debugfs, err := lab.FindProgram("debugfs")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), debugfs, "-R", "cat "+name, disk).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// All files of a disk belong to root, whoever built it.
func TestDiskBelongsToRoot(t *testing.T) {
	if err := (BuildConfig{Kind: Docker}).programs(); err != nil {
		labtest.Require(t, "vm", false, err.Error())
	}
	dir := filepath.Join(t.TempDir(), "root")
	if err := os.MkdirAll(filepath.Join(dir, "a folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "a folder", "file")
	if err := os.WriteFile(file, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	owner := os.Getuid()
	if owner == 0 {
		owner = 4321
		if err := os.Chown(file, owner, owner); err != nil {
			t.Fatal(err)
		}
	}
	disk := filepath.Join(t.TempDir(), "disk")
	if err := writeDisk(t.Context(), disk, dir); err != nil {
		t.Fatal(err)
	}
	debugfs, err := lab.FindProgram("debugfs")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), debugfs, "-R", `stat "/a folder/file"`, disk).Output()
	if err != nil || !strings.Contains(string(out), "User:     0   Group:     0") {
		t.Errorf("the file of user %d is on the disk\n%s(%v)", owner, out, err)
	}
}

func TestBadBuildsAreRefused(t *testing.T) {
	modules := fakeTree(t, map[string]string{"veth": "depends="}, "")
	good := BuildConfig{Dir: "/nonexistent", Kind: Tiny, Arch: "amd64"}
	for name, change := range map[string]func(*BuildConfig){
		"no folder":         func(c *BuildConfig) { c.Dir = "" },
		"no such kind":      func(c *BuildConfig) { c.Kind = "large" },
		"a suite as a path": func(c *BuildConfig) { c.Suite = "../sid" },
		"an option of apt":  func(c *BuildConfig) { c.With = []string{"-o=x"} },
		"a kernel alone":    func(c *BuildConfig) { c.Kernel = "/etc/hosts" },
		"modules alone":     func(c *BuildConfig) { c.Modules = modules },
		"no such kernel":    func(c *BuildConfig) { c.Kernel, c.Modules = "/nonexistent", modules },
		"no modules":        func(c *BuildConfig) { c.Kernel, c.Modules = "/etc/hosts", t.TempDir() },
		"for a disk":        func(c *BuildConfig) { c.Kernel, c.Modules, c.Kind = "/etc/hosts", modules, Docker },
	} {
		cfg := good
		change(&cfg)
		if _, err := Build(t.Context(), cfg); !isUsage(err) {
			t.Errorf("%s: %v, want that it is bad usage", name, err)
		}
	}
	other := good
	other.Arch = "riscv64"
	if _, err := Build(t.Context(), other); !errors.Is(err, lab.ErrUnsupported) {
		t.Errorf("for riscv64: %v, want that it is not supported", err)
	}
}

func isUsage(err error) bool {
	_, is := errors.AsType[*lab.UsageError](err)
	return is
}

// What is missing is told with the packages that have it.
func TestMissingProgramsAreNamed(t *testing.T) {
	for _, variable := range []string{"PORTLAB_MKE2FS", "PORTLAB_DEBUGFS", "PORTLAB_XZ"} {
		t.Setenv(variable, "/nonexistent")
	}
	for kind, want := range map[Kind]string{Tiny: "xz-utils", Docker: "xz-utils e2fsprogs"} {
		err := BuildConfig{Kind: kind}.programs()
		unsupported, ok := errors.AsType[*lab.UnsupportedError](err)
		if !ok || !strings.HasSuffix(unsupported.Remedy, "apt-get install "+want) {
			t.Errorf("%s: %v, want the remedy to install %s", kind, err, want)
		}
	}
}

// This one fetches packages, some 40 MB of them: only where that was asked for.
func TestImageIsBuiltFromTheDistribution(t *testing.T) {
	asked := slices.Contains(strings.Split(os.Getenv("PORTLAB_REQUIRE"), ","), "vm")
	labtest.Require(t, "vm", asked, "it fetches packages, which is done only with PORTLAB_REQUIRE=vm")
	dir := t.TempDir()
	var notes []string
	built, err := Build(t.Context(), BuildConfig{Dir: dir, Kind: Tiny, Watch: func(e lab.Event) { notes = append(notes, e.Note) }})
	if err != nil {
		t.Fatal(err)
	}
	found, err := Find(dir, built.Name)
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Lacks) > 0 {
		t.Errorf("the kernel %s lacks %v", found.Release, found.Lacks)
	}
	if !strings.Contains(strings.Join(notes, "\n"), " MB, ") {
		t.Errorf("how much is fetched was not said: %q", notes)
	}
	archive, err := os.ReadFile(found.Initrd)
	if err != nil {
		t.Fatal(err)
	}
	got := entriesOf(t, archive)
	for _, program := range []string{"bin/busybox", "bin/dash", "bin/ip", "sbin/tc", "sbin/ipvsadm", "sbin/conntrack", "sbin/nft", "sbin/xtables-nft-multi"} {
		if got["usr/"+program] == "" {
			t.Errorf("usr/%s is not in the image", program)
		}
	}
	// Each module that is loaded at the start is there, and is one.
	for name := range strings.FieldsSeq(got["portlab/modules"]) {
		if _, err := modinfo([]byte(got[strings.TrimPrefix(name, "/")])); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("beside the image the build left %v (%v)", left, err)
	}
}

func TestInterruptedBuildLeavesNothing(t *testing.T) {
	asked := slices.Contains(strings.Split(os.Getenv("PORTLAB_REQUIRE"), ","), "vm")
	labtest.Require(t, "vm", asked, "it fetches packages, which is done only with PORTLAB_REQUIRE=vm")
	for _, at := range []lab.Phase{Listing, Unpacking} {
		ctx, interrupt := context.WithCancel(t.Context())
		dir := t.TempDir()
		_, err := Build(ctx, BuildConfig{Dir: dir, Kind: Tiny, Watch: func(e lab.Event) {
			if e.Phase == at {
				interrupt()
			}
		}})
		interrupt()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("interrupted while %s: %v", at, err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("interrupted while %s, the build left %v (%v)", at, left, err)
		}
	}
}
