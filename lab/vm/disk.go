package vm

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/portlab/portlab/lab"
)

// diskRoom is how much of a disk is free, in bytes: for a guest's layers, logs
// and volumes. The file is sparse: what is free takes nothing.
const diskRoom = 1 << 30

// writeDisk makes a file system of a folder: ext4 without a journal, since a
// machine's disk is thrown away with it. All belongs to root.
func writeDisk(ctx context.Context, disk, dir string) error {
	used, err := treeBytes(dir)
	if err != nil {
		return err
	}
	size := (used*11/10 + diskRoom) >> 20
	if err := runTool(ctx, nil, "mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-E", "root_owner=0:0", "-d", dir, disk, strconv.FormatInt(size, 10)+"M"); err != nil {
		return fmt.Errorf("make the disk: %w", err)
	}
	return ownByRoot(ctx, disk, dir)
}

// ownByRoot makes root the owner of all files on a disk, which mke2fs has given
// to whoever had them in the folder.
func ownByRoot(ctx context.Context, disk, dir string) error {
	// Beside the folder, it goes with what else the build leaves.
	script, err := os.Create(dir + ".owners")
	if err != nil {
		return err
	}
	w := bufio.NewWriter(script)
	err = filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err = filepath.Rel(dir, name)
		fmt.Fprintf(w, "set_inode_field \"/%s\" uid 0\nset_inode_field \"/%[1]s\" gid 0\n", name)
		return err
	})
	if err := errors.Join(err, w.Flush(), script.Close()); err != nil {
		return err
	}
	if err := runTool(ctx, io.Discard, "debugfs", "-w", "-f", script.Name(), disk); err != nil {
		return fmt.Errorf("give the disk's files to root: %w", err)
	}
	return nil
}

// runTool runs a program that build has found to be here.
func runTool(ctx context.Context, stdout io.Writer, name string, args ...string) error {
	found, err := lab.FindProgram(name)
	if err != nil {
		return err
	}
	c := exec.CommandContext(ctx, found, args...)
	var errs strings.Builder
	c.Stdout, c.Stderr = stdout, &errs
	if err := c.Run(); err != nil {
		return fmt.Errorf("%s: %w", name, saidBy(err, errs.String()))
	}
	return nil
}

// treeBytes is how much a folder's files take on this machine's disk.
func treeBytes(dir string) (int64, error) {
	var n int64
	err := filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		more, err := allocated(name)
		n += more
		return err
	})
	return n, err
}

// allocated is how much a file takes on its disk, in bytes, which is less than
// its length where it is sparse (stat(2), st_blocks).
func allocated(name string) (int64, error) {
	const block = 512
	var st syscall.Stat_t
	if err := syscall.Lstat(name, &st); err != nil {
		return 0, fmt.Errorf("size of %s: %w", name, err)
	}
	return st.Blocks * block, nil
}

// copyFile copies the content of a file to a new one.
func copyFile(from, to string) error {
	r, err := os.Open(from)
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	return errors.Join(err, w.Close())
}
