package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// WriteFiles gives a sidecar its files, in a folder that carries the run's id.
// A file that is there already is replaced in one step (rename(2)), so a
// running program never reads half of it.
func WriteFiles(run lab.RunID, c lab.Sidecar) (dir string, err error) {
	if !filepath.IsLocal(c.Name) || strings.ContainsRune(c.Name, '/') {
		return "", lab.Usagef("%q cannot be a sidecar's name: it names a folder", c.Name)
	}
	if dir, err = sidecarDir(run, c.Name); err != nil {
		return "", err
	}
	if err := makeDir(dir); err != nil {
		return "", fmt.Errorf("make the folder of %s: %w", c.Name, err)
	}
	for name, content := range c.Files {
		if !filepath.IsLocal(name) || strings.ContainsRune(name, '/') {
			return "", lab.Usagef("%q cannot be a file of the sidecar %s", name, c.Name)
		}
		fresh := filepath.Join(dir, "."+name+".new")
		content = strings.ReplaceAll(content, lab.SidecarDir, dir)
		if err := os.WriteFile(fresh, []byte(content), 0o644); err != nil {
			return "", fmt.Errorf("write %s of %s: %w", name, c.Name, err)
		}
		if err := os.Rename(fresh, filepath.Join(dir, name)); err != nil {
			return "", fmt.Errorf("write %s of %s: %w", name, c.Name, err)
		}
	}
	return dir, nil
}

func sidecarDir(run lab.RunID, name string) (string, error) {
	root, err := lab.RuntimeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(root, string(run), name), nil
}

// RemoveFiles takes a sidecar's folder away, and those above it that are empty
// then; no error if there is none.
func RemoveFiles(run lab.RunID, name string) error {
	dir, err := sidecarDir(run, name)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove the folder of %s: %w", name, err)
	}
	if err := os.Remove(filepath.Dir(dir)); err != nil && !isNotEmpty(err) && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the run's folder: %w", err)
	}
	return lab.PruneRuntimeDir()
}

func isNotEmpty(err error) bool {
	return errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EEXIST)
}

// makeDir makes a folder and those above it. A run that ends elsewhere may
// remove them in between, while they are empty; then it starts again.
func makeDir(dir string) error {
	const attempts = 100
	var err error
	for range attempts {
		if err = os.MkdirAll(dir, 0o755); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return err
}

// inDir puts the folder of a sidecar's files into its arguments.
func inDir(args []string, dir string) []string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = strings.ReplaceAll(a, lab.SidecarDir, dir)
	}
	return out
}
