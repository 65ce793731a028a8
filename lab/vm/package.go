package vm

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"

	"github.com/portlab/portlab/lab"
)

// unpacker unpacks packages into folders. It runs none of their scripts and
// needs no privilege: what it writes belongs to the user.
type unpacker struct{ dpkg string } // path of dpkg-deb

func newUnpacker() (unpacker, error) {
	dpkg, err := lab.FindProgram("dpkg-deb")
	return unpacker{dpkg: dpkg}, err
}

// library says whether a package is one of libraries, which an image has only
// as far as a program is linked against them.
func (u unpacker) library(ctx context.Context, deb string) (bool, error) {
	out, err := exec.CommandContext(ctx, u.dpkg, "--field", deb, "Section").Output()
	if err != nil {
		return false, fmt.Errorf("read %s: %w", path.Base(deb), said(err))
	}
	section := strings.TrimSpace(string(out))
	return section == "libs" || section == "oldlibs", nil
}

// unpack puts the files of a package into a folder, without documents.
func (u unpacker) unpack(ctx context.Context, deb string, into *os.Root) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // what is not read to its end must not wait
	c := exec.CommandContext(ctx, u.dpkg, "--fsys-tarfile", deb)
	var errs strings.Builder
	c.Stderr = &errs
	out, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return fmt.Errorf("unpack %s: %w", path.Base(deb), err)
	}
	wrong := untar(out, into)
	if wrong != nil {
		cancel()
	}
	if err := c.Wait(); err != nil && wrong == nil {
		wrong = saidBy(err, errs.String())
	}
	if wrong != nil {
		return fmt.Errorf("unpack %s: %w", path.Base(deb), wrong)
	}
	return nil
}

// untar writes what an archive holds into a folder, and nothing outside it.
func untar(r io.Reader, into *os.Root) error {
	archive := tar.NewReader(r)
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			// What follows the archive's end must be read, or its writer fails.
			_, err = io.Copy(io.Discard, r)
			return err
		}
		if err != nil {
			return err
		}
		name := merged(h.Name)
		if unwanted(name) {
			continue
		}
		if err := place(archive, h, name, into); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
}

// place writes one entry of an archive under that name.
func place(r io.Reader, h *tar.Header, name string, into *os.Root) error {
	perm := fs.FileMode(h.Mode).Perm()
	if h.Typeflag == tar.TypeDir {
		return into.MkdirAll(name, perm|0o700)
	}
	if err := into.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	// Two packages may have the same file by way of /bin and /usr/bin.
	if err := into.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	switch h.Typeflag {
	case tar.TypeReg:
		return write(into, name, perm, r)
	case tar.TypeSymlink:
		return into.Symlink(h.Linkname, name)
	case tar.TypeLink:
		return into.Link(merged(h.Linkname), name)
	}
	return fmt.Errorf("a file of type %q, which no package of an image should have", h.Typeflag)
}

// write makes a file. Its owner may read and write it, whatever its permissions
// are to be: it is to be read again.
func write(into *os.Root, name string, perm fs.FileMode, r io.Reader) error {
	f, err := into.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Chmod(perm|0o600), f.Close())
}

// topFolders have their content in /usr, as on every Debian system from 12 on
// (merged /usr); packages may still name them.
var topFolders = []string{"bin", "sbin", "lib", "lib32", "lib64", "libx32"}

// merged is where a package's file goes, without a slash before it.
func merged(name string) string {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	if top, _, _ := strings.Cut(name, "/"); slices.Contains(topFolders, top) {
		return "usr/" + name
	}
	if name == "" {
		return "."
	}
	return name
}

// documents are the folders of what no program of an image reads.
var documents = []string{
	"usr/include", "usr/share/bash-completion", "usr/share/bug", "usr/share/doc", "usr/share/doc-base", "usr/share/fish",
	"usr/share/gcc", "usr/share/icons", "usr/share/info", "usr/share/lintian", "usr/share/locale", "usr/share/man",
	"usr/share/menu", "usr/share/zsh", "usr/share/applications", "usr/share/pixmaps", "usr/lib/debug",
}

// unwanted says whether a file stays out of every image.
func unwanted(name string) bool {
	return slices.ContainsFunc(documents, func(dir string) bool { return name == dir || strings.HasPrefix(name, dir+"/") })
}
