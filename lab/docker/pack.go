package docker

import (
	"archive/tar"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
)

// image chooses where a sidecar's program comes from: the image that was asked
// for; the project's own; the hinted one, if the engine has it; and last the
// host's binary, packed. No registry is asked.
func (s *sidecars) image(ctx context.Context, x lab.Sidecar) (image string, entrypoint []string, err error) {
	f := s.fleet
	switch {
	case x.Program == "portlab":
		if f.image == "" {
			binary, err := ownBinary(f.binary)
			if err != nil {
				return "", nil, err
			}
			if f.image, err = f.engine.makeImage(ctx, f.spec.Run, binary); err != nil {
				return "", nil, err
			}
		}
		return f.image, nil, nil
	case f.spec.SidecarImage != "":
		s.origin[x.Program] = "image " + f.spec.SidecarImage
		return f.spec.SidecarImage, []string{x.Program}, nil
	case x.Image != "" && f.engine.hasImage(ctx, x.Image):
		s.origin[x.Program] = "image " + x.Image
		return x.Image, []string{x.Program}, nil
	}
	path, err := lab.FindProgram(x.Program)
	if err == nil {
		s.origin[x.Program] = kernel.VersionOf(ctx, path, x.VersionFlag) + ", packed from " + path
		image, err := s.pack(ctx, x, path)
		return image, nil, err
	}
	return "", nil, missing(x, err)
}

// missing adds to the error of a program that is not on this machine that an
// image would do.
func missing(x lab.Sidecar, err error) error {
	if no, ok := errors.AsType[*lab.UnsupportedError](err); ok && x.Image != "" {
		no.Reason += ", and the engine has no image " + x.Image
		no.Remedy = "docker pull " + x.Image + "; or name another image with --sidecar-image; or " + no.Remedy
	}
	return err
}

// programs finds what sidecars are made from, before there is a fleet. It
// implements [lab.ProgramFinder].
type programs struct {
	*kernel.Sidecars
	engine *engine
}

// FindProgram looks where a sidecar's image would be made from.
func (p programs) FindProgram(ctx context.Context, x lab.Sidecar) error {
	if !x.OnHost && x.Image != "" && p.engine.hasImage(ctx, x.Image) {
		return nil
	}
	err := p.Sidecars.FindProgram(ctx, x)
	if x.OnHost {
		return err
	}
	return missing(x, err)
}

// pack makes an image from a program of the host: the binary, what it opens,
// and as much of /etc as it takes to know root.
func (s *sidecars) pack(ctx context.Context, x lab.Sidecar, path string) (string, error) {
	if name := s.images[x.Program]; name != "" {
		return name, nil
	}
	binary, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", x.Program, err)
	}
	all, err := opens(ctx, binary, x.Extra)
	if err != nil {
		return "", err
	}
	name := "portlab-" + x.Program + ":" + string(s.fleet.spec.Run)
	err = s.fleet.engine.importImage(ctx, name, s.fleet.spec.Run, binary, func(t *tar.Writer) error {
		return errors.Join(addSystem(t), addAll(t, all))
	})
	if err != nil {
		return "", err
	}
	s.images[x.Program] = name
	s.fleet.notice(fmt.Sprintf("%s runs from an image packed from this machine's %s", x.Program, binary))
	return name, nil
}

// opens lists the files that a program opens: itself, the others that it is
// said to open, and the libraries that these are linked against.
func opens(ctx context.Context, binary string, extra []string) ([]string, error) {
	all := []string{binary}
	for _, pattern := range extra {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return nil, fmt.Errorf("look for %s: %w", pattern, err)
		}
		all = append(all, found...)
	}
	for _, file := range slices.Clone(all) {
		libraries, err := librariesOf(ctx, file)
		if err != nil {
			return nil, err
		}
		all = append(all, libraries...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

func addAll(t *tar.Writer, paths []string) error {
	for _, p := range paths {
		if err := addFile(t, p, strings.TrimPrefix(p, "/")); err != nil {
			return err
		}
	}
	return nil
}

// addSystem adds the folders that programs expect and the two users that they
// change to.
func addSystem(t *tar.Writer) error {
	for _, dir := range []string{"etc/", "run/", "var/", "var/log/", "var/log/nginx/", "var/lib/", "var/lib/nginx/", "tmp/"} {
		if err := t.WriteHeader(&tar.Header{Name: dir, Mode: 0o1777, Typeflag: tar.TypeDir}); err != nil {
			return err
		}
	}
	for name, text := range map[string]string{
		"etc/passwd":        "root:x:0:0:root:/:/bin/false\nnobody:x:65534:65534:nobody:/:/bin/false\n",
		"etc/group":         "root:x:0:\nnogroup:x:65534:\n",
		"etc/nsswitch.conf": "hosts: files dns\n",
	} {
		if err := t.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text)), Typeflag: tar.TypeReg}); err != nil {
			return err
		}
		if _, err := t.Write([]byte(text)); err != nil {
			return err
		}
	}
	return nil
}

// librariesOf lists the files that the dynamic loader opens for a program or a
// library (ldd(1)); none for a static one, and for what is neither.
func librariesOf(ctx context.Context, binary string) ([]string, error) {
	if !linked(binary) {
		return nil, nil
	}
	out, err := exec.CommandContext(ctx, "ldd", binary).Output()
	if err != nil {
		return nil, fmt.Errorf("list the libraries of %s with ldd: %w", binary, err)
	}
	return parseLdd(string(out))
}

// parseLdd reads lines such as "libc.so.6 => /lib/libc.so.6 (0x7f...)" and
// "/lib64/ld-linux-x86-64.so.2 (0x7f...)".
func parseLdd(text string) ([]string, error) {
	var all []string
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if i := slices.Index(words, "=>"); i >= 0 {
			words = words[i+1:]
		}
		switch {
		case len(words) == 0 || strings.HasPrefix(words[0], "linux-"):
			// the kernel's own, which is no file
		case words[0] == "not":
			return nil, fmt.Errorf("a library is missing: %s", strings.TrimSpace(line))
		case filepath.IsAbs(words[0]):
			all = append(all, words[0])
		}
	}
	return all, nil
}

// linked says whether a file needs libraries.
func linked(file string) bool {
	f, err := elf.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	libraries, err := f.ImportedLibraries()
	return err == nil && len(libraries) > 0
}

func static(binary string) bool {
	f, err := elf.Open(binary)
	if err != nil {
		return false
	}
	defer f.Close()
	return !slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP })
}

func (s *sidecars) removeImages(ctx context.Context) error {
	var errs []error
	for _, name := range s.images {
		errs = append(errs, s.fleet.engine.removeImage(ctx, name))
	}
	return errors.Join(errs...)
}
