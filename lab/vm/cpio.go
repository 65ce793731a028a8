package vm

import (
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// The types of a file in a cpio archive, as in stat(2).
const (
	cpioDir     = 0o040000
	cpioRegular = 0o100000
	cpioSymlink = 0o120000
)

// cpioWriter writes an archive that the kernel unpacks into its first file
// system: the "newc" form of cpio(5), as the kernel's document
// driver-api/early-userspace/buffer-format says. All belongs to root, and has
// no time, so that the same content is the same archive.
//
// The first error stays, and close returns it.
type cpioWriter struct {
	w       io.Writer
	inode   uint32
	written int64 // bytes
	err     error
}

func newCPIO(w io.Writer) *cpioWriter { return &cpioWriter{w: w} }

// dir adds a folder. What is in it must come later.
func (c *cpioWriter) dir(path string, perm fs.FileMode) { c.entry(path, cpioDir|cpioPerm(perm), 2, 0) }

// symlink adds a symbolic link.
func (c *cpioWriter) symlink(path, target string) {
	c.entry(path, cpioSymlink|0o777, 1, int64(len(target)))
	c.write([]byte(target))
	c.pad()
}

// file adds a regular file of size bytes, which it reads from r.
func (c *cpioWriter) file(path string, perm fs.FileMode, size int64, r io.Reader) {
	c.entry(path, cpioRegular|cpioPerm(perm), 1, size)
	if c.err == nil {
		n, err := io.CopyN(c.w, r, size)
		c.written += n
		if err != nil {
			c.err = fmt.Errorf("archive %s: %w", path, err)
		}
	}
	c.pad()
}

// text adds a file that everybody may read.
func (c *cpioWriter) text(path, content string) {
	c.file(path, 0o644, int64(len(content)), strings.NewReader(content))
}

// close ends the archive, and fills it up to a multiple of 512 bytes, so that
// another may follow.
func (c *cpioWriter) close() error {
	c.inode = 0
	c.entry("TRAILER!!!", 0, 1, 0)
	c.fill(512)
	return c.err
}

// entry writes a header and the name.
func (c *cpioWriter) entry(path string, mode, links uint32, size int64) {
	if c.err == nil && size > 1<<32-1 {
		c.err = fmt.Errorf("archive %s: %d bytes are too many for a cpio archive", path, size)
	}
	const magic = "070701"
	// inode, mode, owner, group, links, time, size, device (2), device of a
	// special file (2), length of the name, checksum (unused).
	h := []byte(magic)
	for _, v := range []uint32{c.inode, mode, 0, 0, links, 0, uint32(size), 0, 0, 0, 0, uint32(len(path) + 1), 0} {
		h = fmt.Appendf(h, "%08x", v)
	}
	c.inode++
	c.write(append(h, path+"\x00"...))
	c.pad()
}

func (c *cpioWriter) pad() { c.fill(4) }

// fill writes zeros up to a multiple of so many bytes.
func (c *cpioWriter) fill(multiple int64) {
	c.write(make([]byte, (multiple-c.written%multiple)%multiple))
}

func (c *cpioWriter) write(b []byte) {
	if c.err != nil {
		return
	}
	n, err := c.w.Write(b)
	c.written += int64(n)
	c.err = err
}

// cpioPerm are the permissions with the bits set-user-ID, set-group-ID and
// sticky, as in stat(2).
func cpioPerm(m fs.FileMode) uint32 {
	p := uint32(m.Perm())
	for bit, value := range map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if m&bit != 0 {
			p |= value
		}
	}
	return p
}
