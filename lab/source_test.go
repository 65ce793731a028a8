package lab_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// module is the path under which the project's packages are imported.
const module = "github.com/portlab/portlab"

// source is one Go file of the project, parsed.
type source struct {
	path string // from the project's root, with slashes
	file *ast.File
}

// test says whether the file is compiled for tests only.
func (s source) test() bool { return strings.HasSuffix(s.path, "_test.go") }

// imports are the paths that the file imports.
func (s source) imports() []string {
	var all []string
	for _, i := range s.file.Imports {
		all = append(all, strings.Trim(i.Path.Value, `"`))
	}
	return all
}

// root is the project's top folder, seen from this package's.
const root = ".."

// packages parses every Go file of the project, whatever its build tags, and
// returns them by folder: "lab/step" to its files.
func packages(t *testing.T) map[string][]source {
	t.Helper()
	all := map[string][]source{}
	positions := token.NewFileSet()
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if skipped(name, d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		f, err := parser.ParseFile(positions, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		from, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		from = filepath.ToSlash(from)
		all[path.Dir(from)] = append(all[path.Dir(from)], source{from, f})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatalf("no Go file found under %s", root)
	}
	return all
}

// skipped are the folders that the go command does not look into either.
func skipped(name, base string) bool {
	return name != root && (base == "testdata" || base == "vendor" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_"))
}

// entries are the names in the project's top folder, folders with a slash at the end.
func entries(t *testing.T) []string {
	t.Helper()
	found, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range found {
		if e.IsDir() {
			names = append(names, e.Name()+"/")
		} else {
			names = append(names, e.Name())
		}
	}
	return names
}
