package vm

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/portlab/portlab/lab"
)

// bootModules are the modules that a tiny image loads when it starts, as
// patterns: the devices of the machine, what nothing loads by itself, and what
// most runs need anyway. Emulated, a module takes 10 to 30 ms.
var bootModules = []string{
	"virtio_pci", "virtio_console", "virtio_net", "virtio_rng",
	"br_netfilter", "bridge", "veth", "ip_vs", "ip_vs_rr",
	"nf_conntrack", "nf_conntrack_netlink", "nf_nat", "nf_tables", "nft_chain_nat", "nft_compat", "nft_ct", "nft_masq", "nft_nat", "nft_numgen",
	"xt_MASQUERADE", "xt_addrtype", "xt_comment", "xt_conntrack", "xt_mark", "xt_nat", "xt_statistic", "xt_tcpudp",
	"inet_diag", "tcp_diag",
}

// spareModules are those that the kernel loads when they are asked for, by
// modprobe: all that the strategies, placements and impairments of this project
// ask of a kernel, and their like.
var spareModules = []string{
	"8021q", "bonding", "dummy", "geneve", "ifb", "ipip", "ipvlan", "ipvtap", "macvlan", "macvtap", "tun", "vrf", "vxlan",
	"ip_vs_*", "xt_ipvs", "ip_set", "ip_set_*",
	"ip_tables", "iptable_*", "ip6_tables", "ip6table_*", "ipt_*", "ip6t_*", "x_tables", "xt_*",
	"nf_*", "nfnetlink", "nfnetlink_*", "nft_*",
	"sch_netem", "sch_*", "cls_*", "act_*", "em_*",
	"overlay", "udp_diag", "unix_diag",
}

// diskModules are those without which there is no disk, no way to the host and
// no network; the disk has the others.
var diskModules = []string{"virtio_pci", "virtio_blk", "virtio_console", "virtio_net", "ext4"}

// modulesFor chooses the modules that are loaded at the start, then those that
// are loaded on demand, and notes what they say of the kernel.
func (b *builder) modulesFor(ctx context.Context, t *moduleTree, boot, spare []string) (chosen []kernelModule, err error) {
	chosen, b.image.Lacks, err = t.choose(ctx, boot, spare)
	if err != nil {
		return nil, err
	}
	if b.cfg.Kernel != "" && len(chosen) == 0 {
		return nil, lab.Usagef("%s has none of the modules of a machine", t.dir)
	}
	if b.cfg.Kernel != "" {
		b.image.Release = chosen[0].release
	}
	return chosen, nil
}

// writeInitrd writes an initramfs with modules and what fill adds. It is not
// compressed: emulated, decompressing it would be a large part of each start.
func (b *builder) writeInitrd(modules []kernelModule, fill func(*cpioWriter) error) error {
	f, err := os.Create(b.image.Initrd)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	c := newCPIO(w)
	err = fill(c)
	b.addModules(c, modules)
	return errors.Join(err, c.close(), w.Flush(), f.Close())
}

// addModules adds modules, the file that lists those for the start, and the
// files by which modprobe finds the others.
func (b *builder) addModules(c *cpioWriter, modules []kernelModule) {
	base := "usr/lib/modules/" + b.image.Release
	made := map[string]bool{"usr/lib": true}
	var boot strings.Builder
	for _, m := range modules {
		name := path.Join(base, m.path)
		for _, dir := range parents(path.Dir(name)) {
			if !made[dir] && strings.HasPrefix(dir, "usr/lib/") {
				c.dir(dir, 0o755)
				made[dir] = true
			}
		}
		c.file(name, 0o644, int64(len(m.content)), bytes.NewReader(m.content))
		if m.boot {
			fmt.Fprintf(&boot, "/%s\n", name)
		}
	}
	c.text(strings.TrimPrefix(guestModules, "/"), boot.String())
	c.text(path.Join(base, "modules.dep"), moduleNeeds(modules))
	c.text(path.Join(base, "modules.alias"), moduleAliases(modules))
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
	modules, err := b.modulesFor(ctx, t, bootModules, spareModules)
	if err != nil {
		return err
	}
	if err := b.root.RemoveAll("usr/lib/modules"); err != nil {
		return err
	}
	return b.writeInitrd(modules, func(c *cpioWriter) error { return archive(c, b.root) })
}
