package vm

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
)

// tinyModules are the modules that a tiny image loads, as patterns: the devices
// of the machine, and all that the strategies, placements and impairments of
// this project ask of a kernel.
var tinyModules = []string{
	"virtio_pci", "virtio_console", "virtio_net", "virtio_rng",
	"8021q", "bridge", "br_netfilter", "dummy", "ifb", "ipvlan", "macvlan", "tun", "veth", "vrf", "vxlan",
	"ip_vs", "ip_vs_*", "xt_ipvs",
	"ip_tables", "iptable_*", "ip6_tables", "ip6table_*", "ipt_*", "ip6t_*", "x_tables", "xt_*",
	"nf_*", "nfnetlink*", "nft_*", "ip_set*",
	"sch_*", "cls_*", "act_*", "em_*",
	"overlay", "inet_diag", "tcp_diag", "udp_diag", "unix_diag",
}

// diskModules are those without which there is no disk and no way to the host;
// the disk has the others.
var diskModules = []string{"virtio_pci", "virtio_blk", "virtio_console", "ext4"}

// modulesFor chooses modules, and notes what they say of the kernel.
func (b *builder) modulesFor(ctx context.Context, t *moduleTree, patterns []string) ([]kernelModule, error) {
	chosen, lacks, err := t.choose(ctx, patterns)
	if err != nil {
		return nil, err
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("%s has none of the modules of a machine", t.dir)
	}
	b.image.Lacks = append(b.image.Lacks, lacks...)
	info, err := modinfo(chosen[0].content)
	if err != nil {
		return nil, err
	}
	// Its first word is the release of the kernel (include/linux/vermagic.h).
	magic := strings.Fields(strings.Join(info["vermagic"], " "))
	if len(magic) == 0 {
		return nil, fmt.Errorf("module %s does not say which kernel it is for", chosen[0].name)
	}
	b.image.Release = magic[0]
	return chosen, nil
}

// writeInitrd writes an initramfs with modules and what fill adds.
func (b *builder) writeInitrd(modules []kernelModule, fill func(*cpioWriter) error) error {
	f, err := os.Create(b.image.Initrd)
	if err != nil {
		return err
	}
	z := gzip.NewWriter(f)
	c := newCPIO(z)
	err = fill(c)
	b.addModules(c, modules)
	return errors.Join(err, c.close(), z.Close(), f.Close())
}

// addModules adds modules and the file that lists them.
func (b *builder) addModules(c *cpioWriter, modules []kernelModule) {
	base := "usr/lib/modules/" + b.image.Release
	made := map[string]bool{"usr/lib": true}
	var list strings.Builder
	for _, m := range modules {
		name := path.Join(base, m.path)
		for _, dir := range parents(path.Dir(name)) {
			if !made[dir] && strings.HasPrefix(dir, "usr/lib/") {
				c.dir(dir, 0o755)
				made[dir] = true
			}
		}
		c.file(name, 0o644, int64(len(m.content)), bytes.NewReader(m.content))
		fmt.Fprintf(&list, "/%s\n", name)
	}
	c.file(strings.TrimPrefix(guestModules, "/"), 0o644, int64(list.Len()), strings.NewReader(list.String()))
}

// parents are a folder and those that it is in, the outermost first.
func parents(dir string) []string {
	if dir == "." || dir == "/" {
		return nil
	}
	return append(parents(path.Dir(dir)), dir)
}

// archive adds all that a folder holds, folders before what is in them.
func archive(c *cpioWriter, in *os.Root) error {
	return fs.WalkDir(in.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		switch {
		case e.IsDir():
			c.dir(name, info.Mode())
		case e.Type() == fs.ModeSymlink:
			target, err := in.Readlink(name)
			if err != nil {
				return err
			}
			c.symlink(name, target)
		default:
			return archiveFile(c, in, name, info)
		}
		return c.err
	})
}

func archiveFile(c *cpioWriter, in *os.Root, name string, info fs.FileInfo) error {
	f, err := in.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	c.file(name, info.Mode(), info.Size(), f)
	return c.err
}

// writeTiny writes the kernel, and all the system into the initramfs.
func (b *builder) writeTiny(ctx context.Context) error {
	t, err := b.takeKernel()
	if err != nil {
		return err
	}
	modules, err := b.modulesFor(ctx, t, tinyModules)
	if err != nil {
		return err
	}
	if err := b.root.RemoveAll("usr/lib/modules"); err != nil {
		return err
	}
	return b.writeInitrd(modules, func(c *cpioWriter) error { return archive(c, b.root) })
}
