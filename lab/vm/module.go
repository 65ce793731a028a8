package vm

import (
	"bufio"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/portlab/portlab/lab"
)

// moduleTree is a folder of kernel modules, such as /lib/modules/RELEASE.
type moduleTree struct {
	dir     string
	files   map[string]string // from a module's name to its file within dir
	builtin map[string]bool   // names of what is part of the kernel itself
}

// kernelModule is one module, ready to be loaded by finit_module(2).
type kernelModule struct {
	name    string
	path    string   // within its tree, without what says how it was compressed
	release string   // of the kernel that it is for
	boot    bool     // it is loaded when a machine starts
	needs   []string // modules that must be loaded before it
	wants   []string // modules that should be, if there are any
	aliases []string // other names, as patterns, by which the kernel asks for it
	content []byte
}

// compressed says what ends the name of a compressed module, and which program
// reads it; gzip is read without one.
var compressed = map[string]string{"": "", ".gz": "", ".xz": "xz", ".zst": "zstd"}

// readModules finds the modules in a folder.
func readModules(dir string) (*moduleTree, error) {
	t := &moduleTree{dir: dir, files: map[string]string{}, builtin: map[string]bool{}}
	err := fs.WalkDir(os.DirFS(dir), ".", func(file string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			t.add(file)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for modules: %w", err)
	}
	if len(t.files) == 0 {
		return nil, lab.Usagef("%s holds no modules of a kernel: name a folder such as /lib/modules/RELEASE", dir)
	}
	b, err := os.ReadFile(filepath.Join(dir, "modules.builtin"))
	if err != nil {
		return nil, fmt.Errorf("find what the kernel has built in: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		t.builtin[moduleName(strings.TrimSpace(line))] = true
	}
	return t, nil
}

func (t *moduleTree) add(file string) {
	if base, suffix := splitModule(file); suffix != "" || strings.HasSuffix(base, ".ko") {
		t.files[moduleName(file)] = file
	}
}

// splitModule parts off what says how a module is compressed.
func splitModule(file string) (base, suffix string) {
	for s := range compressed {
		if s != "" && strings.HasSuffix(file, ".ko"+s) {
			return strings.TrimSuffix(file, s), s
		}
	}
	return file, ""
}

// moduleName is the name of a module, as the kernel shows it, by its file.
func moduleName(file string) string {
	base, _ := splitModule(path.Base(file))
	return strings.ReplaceAll(strings.TrimSuffix(base, ".ko"), "-", "_")
}

// decompressors are the programs that this tree's modules need to be read.
func (t *moduleTree) decompressors() []string {
	var programs []string
	for _, file := range t.files {
		_, suffix := splitModule(file)
		if p := compressed[suffix]; p != "" && !slices.Contains(programs, p) {
			programs = append(programs, p)
		}
	}
	return programs
}

// read reads a module and what it says of itself.
func (t *moduleTree) read(ctx context.Context, name string) (kernelModule, error) {
	file := t.files[name]
	content, err := readCompressed(ctx, filepath.Join(t.dir, file))
	if err != nil {
		return kernelModule{}, fmt.Errorf("read module %s: %w", name, err)
	}
	base, _ := splitModule(file)
	m := kernelModule{name: name, path: base, content: content}
	info, err := modinfo(content)
	if err != nil {
		return m, fmt.Errorf("read module %s: %w", name, err)
	}
	// Its first word is the release of the kernel (include/linux/vermagic.h).
	m.release, _, _ = strings.Cut(strings.Join(info["vermagic"], " "), " ")
	if m.release == "" {
		return m, fmt.Errorf("module %s does not say which kernel it is for", name)
	}
	m.aliases = info["alias"]
	for _, v := range info["depends"] {
		for n := range strings.SplitSeq(v, ",") {
			if n != "" {
				m.needs = append(m.needs, moduleName(n))
			}
		}
	}
	for _, v := range info["softdep"] {
		m.wants = append(m.wants, before(v)...)
	}
	return m, nil
}

// readCompressed reads a file, by a program where its name says that it is
// compressed.
func readCompressed(ctx context.Context, file string) ([]byte, error) {
	_, suffix := splitModule(file)
	if program := compressed[suffix]; program != "" {
		found, err := lab.FindProgram(program)
		if err != nil {
			return nil, err
		}
		out, err := exec.CommandContext(ctx, found, "-dc", file).Output()
		return out, said(err)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := io.Reader(bufio.NewReader(f))
	if suffix == ".gz" {
		if r, err = gzip.NewReader(r); err != nil {
			return nil, err
		}
	}
	return io.ReadAll(r)
}
