package vm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// folders are those that a system has, and that no package brings.
var folders = []string{"dev", "etc/modprobe.d", "mnt", "portlab", "proc", "root", "run", "sys", "tmp", "usr/bin", "usr/lib", "usr/sbin", "var/cache", "var/lib", "var/log"}

// configuration are the files of /etc that installing packages would have made.
// The users are those that proxies may run as.
var configuration = map[string]string{
	"etc/passwd": "root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33::/var/www:/bin/false\n" +
		"haproxy:x:99:99::/var/lib/haproxy:/bin/false\nnobody:x:65534:65534::/nonexistent:/bin/false\n",
	"etc/group":         "root:x:0:\nwww-data:x:33:\nhaproxy:x:99:\ndocker:x:999:\nnogroup:x:65534:\n",
	"etc/hosts":         "127.0.0.1 localhost\n::1 localhost\n",
	"etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nprotocols: files\nservices: files\n",
	"etc/resolv.conf":   "",
	// A machine has the devices that somebody makes, and no others of a module's own.
	"etc/modprobe.d/portlab.conf": "options dummy numdummies=0\noptions ifb numifbs=0\noptions bonding max_bonds=0\n",
}

// firewallNames are the names by which people call the programs that talk to
// nftables; on an installed system they are alternatives.
var firewallNames = []string{"iptables", "ip6tables", "arptables", "ebtables"}

// furnish adds what the packages' scripts would have made: names, files in /etc,
// folders.
func (b *builder) furnish(ctx context.Context) error {
	for _, dir := range folders {
		if err := b.root.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	for name, text := range configuration {
		if err := b.root.WriteFile(name, []byte(text), 0o644); err != nil {
			return err
		}
	}
	release := fmt.Sprintf("ID=debian\nVERSION_CODENAME=%s\nPRETTY_NAME=\"Debian %[1]s, packages unpacked by portlab\"\n", b.cfg.Suite)
	if err := b.root.WriteFile("etc/os-release", []byte(release), 0o644); err != nil {
		return err
	}
	if err := b.links(); err != nil {
		return err
	}
	return b.applets(ctx)
}

func (b *builder) links() error {
	links := map[string]string{"var/run": "/run", "usr/bin/sh": "dash"}
	for _, top := range topFolders {
		if _, err := b.root.Stat("usr/" + top); err == nil {
			links[top] = "usr/" + top
		}
	}
	for _, name := range firewallNames {
		for _, suffix := range []string{"", "-save", "-restore"} {
			links["usr/sbin/"+name+suffix] = "xtables-nft-multi"
		}
	}
	for name, target := range links {
		if err := b.link(name, target); err != nil {
			return err
		}
	}
	return nil
}

// link makes a symbolic link, unless a package has something by that name.
func (b *builder) link(name, target string) error {
	err := b.root.Symlink(target, name)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// applets gives busybox a name for each of its programs that no package has.
func (b *builder) applets(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, filepath.Join(b.dir, "root/usr/bin/busybox"), "--list").Output()
	if err != nil {
		return fmt.Errorf("ask busybox for its programs: %w", said(err))
	}
	for name := range strings.FieldsSeq(string(out)) {
		if _, err := b.root.Lstat("usr/sbin/" + name); err == nil {
			continue
		}
		if err := b.link("usr/bin/"+name, "busybox"); err != nil {
			return err
		}
	}
	// The kernel calls this one by its path.
	return b.link("usr/sbin/modprobe", "../bin/busybox")
}

// takeKernel moves the kernel out of the system, and returns the folder of its
// modules within it.
func (b *builder) takeKernel() (*moduleTree, error) {
	if b.cfg.Kernel != "" {
		if err := copyFile(b.cfg.Kernel, b.image.Kernel); err != nil {
			return nil, fmt.Errorf("copy the kernel: %w", err)
		}
		return readModules(b.cfg.Modules)
	}
	kernels, err := fs.Glob(b.root.FS(), "boot/vmlinuz-*")
	if err != nil {
		return nil, err
	}
	if len(kernels) != 1 {
		return nil, fmt.Errorf("the packages have %d kernels, not one: %v", len(kernels), kernels)
	}
	b.image.Release = strings.TrimPrefix(path.Base(kernels[0]), "vmlinuz-")
	if err := os.Rename(filepath.Join(b.dir, "root", kernels[0]), b.image.Kernel); err != nil {
		return nil, err
	}
	if err := b.root.RemoveAll("boot"); err != nil {
		return nil, err
	}
	return readModules(filepath.Join(b.dir, "root/usr/lib/modules", b.image.Release))
}

// finish writes down what the image is.
func (b *builder) finish() error {
	b.image.Name = b.cfg.name(b.image.Release)
	entries, err := os.ReadDir(b.image.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		n, err := allocated(filepath.Join(b.image.Dir, e.Name()))
		if err != nil {
			return err
		}
		b.image.Bytes += n
	}
	return b.image.save()
}
