package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Home names the place where this process can tell a live run from a dead one:
// this boot of the kernel and this network namespace. What several namespaces
// can see (a container, a process, a file) carries the home of its run beside
// its id, and is left alone by sweeps of another home.
func Home() (string, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("tell this boot from others: %w", err)
	}
	var ns syscall.Stat_t
	// /proc/self is the main thread, which never leaves the process's namespace.
	if err := syscall.Stat("/proc/self/ns/net", &ns); err != nil {
		return "", fmt.Errorf("tell this network namespace from others: %w", err)
	}
	id, _, _ := strings.Cut(string(boot), "-")
	return fmt.Sprintf("%s-%d", id, ns.Ino), nil
}

// RuntimeDir is where runs of this [Home] keep their files, each under its own
// id: below /run for root, else below $XDG_RUNTIME_DIR, else below the folder
// for temporary files. It need not exist yet.
func RuntimeDir() (string, error) {
	home, err := Home()
	if err != nil {
		return "", err
	}
	return filepath.Join(runtimeBase(), home), nil
}

func runtimeBase() string {
	const mayWrite = 2 // W_OK, access(2)
	if os.Geteuid() == 0 && syscall.Access("/run", mayWrite) == nil {
		return "/run/portlab"
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "portlab")
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("portlab-%d", os.Geteuid()))
}

// PruneRuntimeDir removes [RuntimeDir], and what portlab made above it, as far
// as they are empty.
func PruneRuntimeDir() error {
	dir, err := RuntimeDir()
	if err != nil {
		return err
	}
	for _, empty := range []string{dir, filepath.Dir(dir)} {
		err := os.Remove(empty)
		if errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.EEXIST) {
			return nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove an empty folder: %w", err)
		}
	}
	return nil
}
