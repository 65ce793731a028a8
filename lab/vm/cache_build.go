package vm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// buildPrefix begins the name of a folder in which an image is being built.
const buildPrefix = ".build-"

// site is the folder in which an image is being built. It is locked as long as
// its process lives (flock(2)), so that others can tell it from one that a dead
// process left.
type site struct {
	dir  string
	lock *os.File
}

// newSite makes a folder for a build beside the images, and removes those of
// dead builds.
func newSite(cache string) (*site, error) {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of images: %w", err)
	}
	if err := sweepBuilds(cache); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(cache, buildPrefix)
	if err != nil {
		return nil, fmt.Errorf("make a folder for the build: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), os.RemoveAll(dir))
	}
	return &site{dir: dir, lock: lock}, nil
}

// close removes what is left of the folder.
func (s *site) close() error { return errors.Join(os.RemoveAll(s.dir), s.lock.Close()) }

// publish gives a folder of the site its name among the images. An image that
// had the name is replaced; a machine that runs on it goes on.
func (s *site) publish(from, cache, name string) error {
	to := filepath.Join(cache, name)
	old := filepath.Join(s.dir, "old")
	if err := os.Rename(to, old); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("replace image %s: %w", name, err)
	}
	if err := os.Rename(from, to); err != nil {
		return fmt.Errorf("name image %s: %w", name, err)
	}
	return nil
}

// lockDir locks a folder, or says at once that another process has.
func lockDir(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// sweepBuilds removes the folders of builds whose process has died.
func sweepBuilds(cache string) error {
	found, err := filepath.Glob(filepath.Join(cache, buildPrefix+"*"))
	if err != nil {
		return err
	}
	for _, dir := range found {
		lock, err := lockDir(dir)
		if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, os.ErrNotExist) {
			continue // it is being built, or has just gone
		}
		if err != nil {
			return fmt.Errorf("sweep builds that died: %w", err)
		}
		err = os.RemoveAll(dir)
		if err := errors.Join(err, lock.Close()); err != nil {
			return fmt.Errorf("sweep builds that died: %w", err)
		}
	}
	return nil
}
