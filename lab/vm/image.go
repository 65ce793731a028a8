package vm

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/portlab/portlab/lab"
)

// Kind is what a machine's system can do.
type Kind string

// The kinds of image.
const (
	// Tiny is a kernel with one initramfs: modules, busybox and the programs
	// that set up a network, no disk.
	Tiny Kind = "tiny"
	// Docker is a kernel with a small initramfs and a disk with a Docker engine.
	Docker Kind = "docker"
)

// Kinds are all kinds of image, the smallest first.
func Kinds() []Kind { return []Kind{Tiny, Docker} }

// Package is one package of the distribution, as it was unpacked.
type Package struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Arch    string `json:"arch"` // as the distribution calls it, such as amd64 or all
}

// Image is the system of a machine: the files that QEMU boots, and what they
// were made from. What a run found out on it holds for these packages.
type Image struct {
	SchemaVersion int    `json:"schema_version"`
	Name          string `json:"name"` // KIND-SUITE, such as tiny-bookworm
	Kind          Kind   `json:"kind"`
	Suite         string `json:"suite"`   // of the distribution, such as bookworm
	Arch          string `json:"arch"`    // as the distribution calls it, such as amd64
	Release       string `json:"release"` // of the kernel (uname(2)), such as 6.1.0-42-cloud-amd64

	Dir    string `json:"-"`      // where the files are
	Kernel string `json:"kernel"` // path of the kernel
	Initrd string `json:"initrd"` // path of the initramfs
	Disk   string `json:"disk"`   // path of the raw disk; empty: there is none

	Packages []Package `json:"packages"` // by name
	// Lacks are the modules that were looked for, and that this kernel has
	// neither as a file nor built in.
	Lacks []string  `json:"lacks"`
	Built time.Time `json:"built"`
	Bytes int64     `json:"bytes"` // what the files take on this machine's disk
}

// imageSchema is the version of image.json and of what an initramfs holds: the
// file /portlab/modules.
const imageSchema = 1

// The names of an image's files in its folder.
const (
	imageFile  = "image.json"
	kernelFile = "vmlinuz"
	initrdFile = "initrd"
	diskFile   = "disk.raw"
)

// errNoImage says that a folder is no image that this program knows.
var errNoImage = errors.New("no image")

// load reads the image in a folder.
func load(dir string) (Image, error) {
	var i Image
	b, err := os.ReadFile(filepath.Join(dir, imageFile))
	if errors.Is(err, fs.ErrNotExist) {
		return i, fmt.Errorf("%s: %w", dir, errNoImage)
	}
	if err != nil {
		return i, err
	}
	if err := json.Unmarshal(b, &i); err != nil {
		return i, fmt.Errorf("read %s: %w", filepath.Join(dir, imageFile), err)
	}
	i.Dir = dir
	i.Kernel = filepath.Join(dir, i.Kernel)
	i.Initrd = filepath.Join(dir, i.Initrd)
	if i.Disk != "" {
		i.Disk = filepath.Join(dir, i.Disk)
	}
	return i, nil
}

// save writes image.json, with the names of files where i has their paths, so
// that the folder can be moved.
func (i Image) save() error {
	i.SchemaVersion = imageSchema
	i.Kernel, i.Initrd = filepath.Base(i.Kernel), filepath.Base(i.Initrd)
	if i.Disk != "" {
		i.Disk = filepath.Base(i.Disk)
	}
	b, err := json.MarshalIndent(i, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(i.Dir, imageFile), append(b, '\n'), 0o644)
}

// usable says why this program cannot boot the image, as an error.
func (i Image) usable() error {
	if i.SchemaVersion != imageSchema {
		return i.unsupported(fmt.Sprintf("it is of format %d, and this portlab knows format %d", i.SchemaVersion, imageSchema))
	}
	for _, f := range []string{i.Kernel, i.Initrd, i.Disk} {
		if f == "" {
			continue
		}
		if _, err := os.Stat(f); err != nil {
			return i.unsupported(err.Error())
		}
	}
	return nil
}

// hasAll says whether the image has all these packages.
func (i Image) hasAll(names []string) bool {
	for _, n := range names {
		if !slices.ContainsFunc(i.Packages, func(p Package) bool { return p.Name == n }) {
			return false
		}
	}
	return true
}

func (i Image) unsupported(reason string) error {
	return &lab.UnsupportedError{What: "image " + i.Name, Reason: reason, Remedy: "make it again: " + remedy(i.Name)}
}
