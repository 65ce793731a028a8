package vm

import (
	"context"
	"path/filepath"
)

// engineConfig is what dockerd needs to know about its machine: nothing but a
// run's own network is there.
const engineConfig = `{"storage-driver": "overlay2", "ip6tables": false, "ipv6": false}
`

// writeDocker writes the kernel, an initramfs that finds the disk, and the disk
// with the system.
func (b *builder) writeDocker(ctx context.Context) error {
	t, err := b.takeKernel()
	if err != nil {
		return err
	}
	modules, err := b.modulesFor(ctx, t, diskModules, nil)
	if err != nil {
		return err
	}
	if err := b.writeInitrd(modules, b.smallSystem); err != nil {
		return err
	}
	if err := b.root.MkdirAll("etc/docker", 0o755); err != nil {
		return err
	}
	if err := b.root.WriteFile("etc/docker/daemon.json", []byte(engineConfig), 0o644); err != nil {
		return err
	}
	root := filepath.Join(b.dir, "root")
	if err := runTool(ctx, nil, "depmod", "--basedir", root, b.image.Release); err != nil {
		return err
	}
	b.image.Disk = filepath.Join(b.image.Dir, diskFile)
	return writeDisk(ctx, b.image.Disk, root)
}

// smallSystem is what an initramfs has beside its modules where the system is on
// a disk: busybox, for whoever has to look why the disk is not found.
func (b *builder) smallSystem(c *cpioWriter) error {
	for _, dir := range []string{"dev", "mnt", "portlab", "proc", "sys", "usr", "usr/bin", "usr/lib"} {
		c.dir(dir, 0o755)
	}
	c.symlink("bin", "usr/bin")
	c.symlink("lib", "usr/lib")
	info, err := b.root.Stat("usr/bin/busybox")
	if err != nil {
		return err
	}
	return archiveFile(c, b.root, "usr/bin/busybox", info)
}
