package vm

import (
	"debug/elf"
	"os"
	"path/filepath"
	"testing"

	"github.com/portlab/portlab/lab/labtest"
)

// hostLibraries finds the libraries of a program of this machine, with what
// they need, and what loads them.
func hostLibraries(t *testing.T, program string) map[string]string {
	t.Helper()
	found := map[string]string{}
	var add func(file string)
	add = func(file string) {
		e, err := elf.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		needed, err := e.ImportedLibraries()
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range needed {
			for _, pattern := range []string{"/lib/*-linux-gnu/", "/usr/lib/*-linux-gnu/", "/lib64/", "/usr/lib64/"} {
				at, err := filepath.Glob(pattern + name)
				if err == nil && len(at) > 0 && found[name] == "" {
					found[name] = at[0]
					add(at[0])
				}
			}
		}
	}
	add(program)
	return found
}

// systemWith are two folders: one with a program of this machine, one with all
// its libraries and one more.
func systemWith(t *testing.T) (root, packages *os.Root, needed map[string]string) {
	t.Helper()
	const program = "/bin/ls"
	_, err := os.Stat(program)
	labtest.Require(t, "ls", err == nil, "there is no /bin/ls")
	needed = hostLibraries(t, program)
	labtest.Require(t, "ls", needed["libc.so.6"] != "", "its ls is not linked against the GNU C library")
	root, packages = openRoot(t, t.TempDir()), openRoot(t, t.TempDir())
	if err := copyFile(program, filepath.Join(root.Name(), "ls")); err != nil {
		t.Fatal(err)
	}
	if err := packages.MkdirAll("usr/lib/real", 0o755); err != nil {
		t.Fatal(err)
	}
	for name, from := range needed {
		at := filepath.Join(packages.Name(), "usr/lib/real", name)
		if err := copyFile(from, at+".0"); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(name+".0", at); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"libunused.so.1", loadedLater[0], "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"} {
		if needed[name] != "" {
			continue
		}
		if err := packages.WriteFile("usr/lib/real/"+name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root, packages, needed
}

// A program gets the libraries that it and they are linked against, as files,
// and no others.
func TestProgramGetsItsLibraries(t *testing.T) {
	root, packages, needed := systemWith(t)
	if err := addLibraries(root, packages); err != nil {
		t.Fatal(err)
	}
	for name := range needed {
		info, err := root.Lstat("usr/lib/real/" + name)
		if name == filepath.Base(interpreterOf(t, root)) {
			info, err = root.Lstat(merged(interpreterOf(t, root)))
		}
		if err != nil || !info.Mode().IsRegular() {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := root.Stat("usr/lib/real/libunused.so.1"); err == nil {
		t.Error("a library that nobody needs was taken too")
	}
	if _, err := root.Stat("usr/lib/real/" + loadedLater[0]); err != nil {
		t.Errorf("the library that is loaded later: %v", err)
	}
}

func interpreterOf(t *testing.T, root *os.Root) string {
	t.Helper()
	_, interpreter, err := linkedAgainst(root, "ls")
	if err != nil || interpreter == "" {
		t.Fatalf("the program is loaded by %q (%v)", interpreter, err)
	}
	return interpreter
}

// A program whose library no package has would not start: an error. A plug-in
// is left out.
func TestMissingLibraries(t *testing.T) {
	root, packages, needed := systemWith(t)
	if err := root.MkdirAll("plugins", 0o755); err != nil {
		t.Fatal(err)
	}
	// A library that needs the C library stands for a plug-in.
	for name, from := range needed {
		if l := hostLibraries(t, from); l["libc.so.6"] != "" {
			if err := copyFile(from, filepath.Join(root.Name(), "plugins", name+".plugin")); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, suffix := range []string{"", ".0"} {
		if err := packages.Remove("usr/lib/real/libc.so.6" + suffix); err != nil {
			t.Fatal(err)
		}
	}
	if err := addLibraries(root, packages); err == nil {
		t.Error("a program without the C library passed")
	}
	if err := root.Remove("ls"); err != nil {
		t.Fatal(err)
	}
	if err := addLibraries(root, packages); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(filepath.Join(root.Name(), "plugins")); err != nil || len(left) > 0 {
		t.Errorf("plug-ins that cannot be loaded are left: %v (%v)", left, err)
	}
}
