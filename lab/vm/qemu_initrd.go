package vm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// archiveAlign is where the kernel looks for a further archive that is not
// compressed, in bytes from the beginning (init/initramfs.c).
const archiveAlign = 4

// initrd is the guest's first file system: the image's, then an archive with
// this program, its orders and the user's files. It has no name and goes with
// the last process that has it open (memfd_create(2)).
func (c Config) initrd(o orders) (*os.File, error) {
	fd, err := unix.MemfdCreate("portlab-initrd", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a file in memory: %w", err)
	}
	f := os.NewFile(uintptr(fd), "initramfs")
	if err := c.fill(f, o); err != nil {
		return nil, errors.Join(fmt.Errorf("make the machine's first file system: %w", err), f.Close())
	}
	return f, nil
}

func (c Config) fill(f *os.File, o orders) error {
	image, err := os.Open(c.Image.Initrd)
	if err != nil {
		return err
	}
	defer image.Close()
	n, err := io.Copy(f, image)
	if err != nil {
		return err
	}
	if _, err := f.Write(make([]byte, (archiveAlign-n%archiveAlign)%archiveAlign)); err != nil {
		return err
	}
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	a := newCPIO(f)
	for _, dir := range []string{guestDir, guestBin, guestFiles} {
		a.dir(inArchive(dir), 0o755)
	}
	a.file(inArchive(guestOrders), 0o600, int64(len(text)), bytes.NewReader(text))
	if err := addFile(a, guestBinary, c.Binary); err != nil {
		return err
	}
	a.symlink("init", inArchive(guestBinary))
	for i, at := range o.Files {
		if err := addTree(a, path.Join(guestFiles, strconv.Itoa(i)), c.Files[at]); err != nil {
			return err
		}
	}
	return a.close()
}

// inArchive is a path as archives have it: from the root on.
func inArchive(name string) string { return strings.TrimPrefix(name, "/") }

// addFile adds a file of this machine to an archive.
func addFile(a *cpioWriter, name, from string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	a.file(inArchive(name), info.Mode().Perm(), info.Size(), f)
	return a.err
}

// addTree adds a file or a folder of this machine with all that is in it.
func addTree(a *cpioWriter, name, from string) error {
	return filepath.WalkDir(from, func(found string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(from, found)
		if err != nil {
			return err
		}
		at := path.Join(name, filepath.ToSlash(below))
		switch {
		case d.IsDir():
			a.dir(inArchive(at), 0o755)
			return a.err
		case d.Type().IsRegular():
			return addFile(a, at, found)
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(found)
			if err != nil {
				return err
			}
			a.symlink(inArchive(at), target)
			return a.err
		}
		return fmt.Errorf("%s is neither a file nor a folder", found)
	})
}
