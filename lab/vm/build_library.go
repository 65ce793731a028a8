package vm

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// loadedLater are the libraries that programs load while they run, and that
// they are not linked against: the C library needs this one to end a thread.
var loadedLater = []string{"libgcc_s.so.1"}

// addLibraries puts what the programs in root are linked against into root, out
// of another folder of unpacked packages, and what those libraries are linked
// against.
func addLibraries(root, packages *os.Root) error {
	available, err := libraries(packages)
	if err != nil {
		return err
	}
	l := linker{root: root, packages: packages, available: available}
	if l.present, err = libraries(root); err != nil {
		return err
	}
	err = fs.WalkDir(root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		return l.link(name)
	})
	if err != nil {
		return fmt.Errorf("find the libraries of programs: %w", err)
	}
	if l.any {
		for _, name := range loadedLater {
			if err := l.add(name, ""); err != nil {
				return err
			}
		}
	}
	return nil
}

// linker adds libraries, each once.
type linker struct {
	root, packages     *os.Root
	present, available map[string]string // from a library's name to its path
	any                bool              // a program was linked against something
}

// libraries finds the shared libraries in a folder: from names to paths. A file
// is taken before a symbolic link of the same name.
func libraries(in *os.Root) (map[string]string, error) {
	found := map[string]string{}
	err := fs.WalkDir(in.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || !strings.Contains(e.Name(), ".so") || e.IsDir() {
			return err
		}
		if e.Type().IsRegular() || found[e.Name()] == "" {
			found[e.Name()] = name
		}
		return nil
	})
	return found, err
}

// link adds what one file is linked against, if it is a program or a library. A
// program's plug-in may be for a library that its package only recommends: then
// it is taken out.
func (l *linker) link(name string) error {
	needed, interpreter, err := linkedAgainst(l.root, name)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if interpreter == "" && slices.ContainsFunc(needed, func(n string) bool { return l.present[n]+l.available[n] == "" }) {
		return l.root.Remove(name)
	}
	if interpreter != "" {
		needed = append(needed, path.Base(interpreter))
	}
	for _, n := range needed {
		l.any = true
		at := ""
		if interpreter != "" && n == path.Base(interpreter) {
			at = merged(interpreter)
		}
		if err := l.add(n, at); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// add puts a library into root, at a path or, if that is empty, where its
// package has it. A library that no package has is an error: what needs it
// would not start.
func (l *linker) add(name, at string) error {
	if l.present[name] != "" {
		return nil
	}
	from := l.available[name]
	if from == "" {
		return fmt.Errorf("no package has the library %s", name)
	}
	if at == "" {
		at = from
	}
	l.present[name] = at
	f, err := l.packages.Open(from) // which follows symbolic links
	if err != nil {
		return err
	}
	defer f.Close()
	if err := l.root.MkdirAll(path.Dir(at), 0o755); err != nil {
		return err
	}
	if err := write(l.root, at, 0o755, f); err != nil {
		return err
	}
	return l.link(at)
}

// linkedAgainst reads the names of the libraries that a file needs, and the
// path of what loads it (elf(5)). A file of another kind needs none.
func linkedAgainst(root *os.Root, name string) (needed []string, interpreter string, err error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	magic := make([]byte, len(elf.ELFMAG))
	if _, err := f.ReadAt(magic, 0); err != nil || string(magic) != elf.ELFMAG {
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, "", err
		}
		return nil, "", nil
	}
	e, err := elf.NewFile(f)
	if err != nil {
		return nil, "", err
	}
	if e.Type != elf.ET_EXEC && e.Type != elf.ET_DYN { // such as a module
		return nil, "", nil
	}
	i := slices.IndexFunc(e.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP })
	if i >= 0 {
		b, err := io.ReadAll(e.Progs[i].Open())
		if err != nil {
			return nil, "", err
		}
		interpreter = strings.TrimRight(string(b), "\x00")
	}
	needed, err = e.ImportedLibraries()
	return needed, interpreter, err
}
