package vm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// mount is a file system to mount (mount(2)).
type mount struct {
	kind, at string
	data     string
	optional bool // a kernel without it is as good
}

// early is what must be there before the disk is.
var early = []mount{{kind: "devtmpfs", at: "/dev"}}

// usual is what programs expect of a Linux system.
var usual = []mount{
	{kind: "proc", at: "/proc"},
	{kind: "sysfs", at: "/sys"},
	{kind: "devtmpfs", at: "/dev"},
	{kind: "devpts", at: "/dev/pts", data: "ptmxmode=666"},
	{kind: "tmpfs", at: "/dev/shm", data: "mode=1777"},
	{kind: "tmpfs", at: "/run", data: "mode=755"},
	{kind: "tmpfs", at: "/tmp", data: "mode=1777"},
	{kind: "cgroup2", at: "/sys/fs/cgroup", optional: true},
	{kind: "bpf", at: "/sys/fs/bpf", optional: true},
}

func mountAll(all []mount) error {
	for _, m := range all {
		err := os.MkdirAll(m.at, 0o755)
		if err == nil {
			err = unix.Mount(m.kind, m.at, m.kind, unix.MS_NOSUID, m.data)
		}
		if err != nil && !m.optional && !errors.Is(err, unix.EBUSY) { // EBUSY: it is there
			return fmt.Errorf("mount %s at %s: %w", m.kind, m.at, err)
		}
	}
	return nil
}

// loadModules loads the image's modules. What lacks one says so when it is
// used; the console says why.
func loadModules() {
	list, err := os.ReadFile(guestModules)
	if err != nil {
		fmt.Fprintln(os.Stderr, "portlab: load modules:", err)
		return
	}
	for path := range strings.FieldsSeq(string(list)) {
		if err := loadModule(path); err != nil && !errors.Is(err, unix.EEXIST) {
			fmt.Fprintf(os.Stderr, "portlab: load %s: %v\n", path, err)
		}
	}
}

func loadModule(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.FinitModule(int(f.Fd()), "", 0)
}

const (
	disk   = "/dev/vda" // the first of virtio-blk
	onDisk = "/disk"    // where it is mounted until it is the root
)

// switchToDisk makes the disk the root, and shows what the host gave this
// machine there, as switch_root(8) would.
func switchToDisk() error {
	if err := awaitFile(disk); err != nil {
		return err
	}
	if err := os.MkdirAll(onDisk, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(disk, onDisk, "ext4", unix.MS_NOATIME, ""); err != nil {
		return fmt.Errorf("mount the disk: %w", err)
	}
	if err := bind(guestDir, onDisk+guestDir); err != nil {
		return err
	}
	if err := unix.Unmount("/dev", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount /dev: %w", err)
	}
	if err := os.Chdir(onDisk); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("make the disk the root: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("make the disk the root: %w", err)
	}
	return os.Chdir("/")
}

// placeFiles shows the host's files where they are to be.
func placeFiles(places []string) error {
	for i, at := range places {
		if err := bind(filepath.Join(guestFiles, strconv.Itoa(i)), at); err != nil {
			return err
		}
	}
	return nil
}

// bind shows a file or a folder at another place as well, which it makes if
// need be.
func bind(from, at string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	if info.IsDir() {
		err = os.MkdirAll(at, 0o755)
	} else if _, missing := os.Stat(at); missing != nil {
		err = os.WriteFile(at, nil, 0o644)
	}
	if err != nil {
		return err
	}
	if err := unix.Mount(from, at, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("show %s at %s: %w", from, at, err)
	}
	return nil
}

// awaitFile waits for a file that the kernel makes when it finds a device.
func awaitFile(path string) error {
	for end := time.Now().Add(deviceTime); ; time.Sleep(devicePause) {
		_, err := os.Stat(path)
		if err == nil || time.Now().After(end) {
			return err
		}
	}
}
