package vm

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/portlab/portlab/lab"
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
