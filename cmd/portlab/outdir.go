package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/samples"
	"github.com/portlab/portlab/report"
)

const (
	resultsDir = "portlab-results"
	latestLink = "latest"
	noOutput   = "none" // the word of --out for no report
)

// output is where a run's report goes. A nil output is nowhere.
type output struct {
	dir    string
	latest string // the link that points to the newest report; empty for a folder of the user's own
}

// planOutput finds out, and makes sure, where a report can be written, and
// makes nothing: a run that fails leaves no folder. It returns a
// [lab.UsageError] if nothing can be written there.
func planOutput(asked string, none bool, strategy string, now time.Time) (*output, error) {
	if none || asked == noOutput {
		return nil, nil
	}
	o := &output{dir: asked}
	if asked == "" {
		name := now.Format("20060102-150405") + "-" + notInFolder.ReplaceAllString(strategy, "-")
		o.dir, o.latest = unused(filepath.Join(resultsDir, name)), filepath.Join(resultsDir, latestLink)
	}
	return o, writable(o.dir)
}

// notInFolder are the signs of a strategy's full name that are a trouble in the
// name of a folder: PATH-like variables, make(1) and scp(1) read a colon their own way.
var notInFolder = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

// unused is dir, or dir-2 and so on if there is one already.
func unused(dir string) string {
	name := dir
	for i := 2; ; i++ {
		if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			return name
		}
		name = fmt.Sprintf("%s-%d", dir, i)
	}
}

// writable refuses a folder that has something in it, and one that cannot be
// written or made.
func writable(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case err == nil && len(entries) > 0:
		return lab.Usagef("the folder %s is not empty: name a new one with --out", dir)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return lab.Usagef("cannot write a report to %s: %v: name another folder with --out", dir, err)
	}
	at := existing(dir)
	if err := unix.Access(at, unix.W_OK|unix.X_OK); err != nil {
		return lab.Usagef("cannot write a report to %s: %s: %v: name another folder with --out, or --out none", dir, at, err)
	}
	return nil
}

// existing is dir, or the nearest folder above it that is there.
func existing(dir string) string {
	dir = filepath.Clean(dir)
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

// recorder keeps the samples of a load beside where the report will be, so that
// there is room for them; without a report, where temporary files are.
func (o *output) recorder() (*samples.Recorder, error) {
	if o == nil {
		return samples.NewRecorder(os.TempDir())
	}
	return samples.NewRecorder(existing(o.dir))
}

// write writes a report, and says where the page for people is.
func (o *output) write(res *lab.Result, all lab.Samples, getenv func(string) string) (string, error) {
	if o == nil {
		return "", nil
	}
	err := o.deliver(getenv, func() error {
		return errors.Join(os.MkdirAll(o.dir, 0o777), report.Write(o.dir, res, all))
	})
	return filepath.Join(o.dir, "report.md"), err
}

// deliver has the folder made and filled, and gives it to whom it is for.
func (o *output) deliver(getenv func(string) string, fill func() error) error {
	made := firstMissing(o.dir)
	if err := fill(); err != nil {
		return fmt.Errorf("write the report to %s: %w", o.dir, err)
	}
	if err := o.link(); err != nil {
		return err
	}
	if err := giveBack(getenv, made, o.latest); err != nil {
		return fmt.Errorf("give the report to the user behind sudo: %w", err)
	}
	return nil
}

// link has latest point to this report. The link is renamed into place, so
// that it is never missing.
func (o *output) link() error {
	if o.latest == "" {
		return nil
	}
	next := o.latest + "." + strconv.Itoa(os.Getpid())
	if err := os.Symlink(filepath.Base(o.dir), next); err != nil {
		return fmt.Errorf("link the newest report: %w", err)
	}
	if err := os.Rename(next, o.latest); err != nil {
		return errors.Join(fmt.Errorf("link the newest report: %w", err), os.Remove(next))
	}
	return nil
}

// firstMissing is dir, or the highest folder above it that must be made for it.
func firstMissing(dir string) string {
	dir = filepath.Clean(dir)
	for {
		up := filepath.Dir(dir)
		if _, err := os.Stat(up); err == nil || up == dir {
			return dir
		}
		dir = up
	}
}

// giveBack gives what was written under sudo(8) to the user who typed it, so
// that it can be deleted without sudo.
func giveBack(getenv func(string) string, dir, link string) error {
	if getenv("SUDO_UID") == "" || os.Geteuid() != 0 {
		return nil // not under sudo
	}
	uid, err := strconv.Atoi(getenv("SUDO_UID"))
	if err != nil {
		return fmt.Errorf("read SUDO_UID: %w", err)
	}
	gid, err := strconv.Atoi(getenv("SUDO_GID"))
	if err != nil {
		return fmt.Errorf("read SUDO_GID: %w", err)
	}
	err = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, uid, gid))
	})
	if link == "" {
		return err
	}
	return errors.Join(err, os.Lchown(link, uid, gid))
}
