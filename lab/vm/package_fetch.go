package vm

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// fetch is a package that is to be fetched.
type fetch struct {
	Package
	file  string // its name in apt's folder
	bytes int64
}

// plan finds all that these packages need, and fetches nothing.
func (a *apt) plan(ctx context.Context, names []string) ([]fetch, error) {
	out, err := a.run(ctx, nil, a.get, append([]string{"-qq", "-y", "--print-uris", "install"}, names...)...)
	if err != nil {
		return nil, fmt.Errorf("find what %s needs in %s: %w", strings.Join(names, ", "), a.suite, err)
	}
	var all []fetch
	for line := range strings.Lines(out) {
		f, err := parseFetch(line)
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	slices.SortFunc(all, func(x, y fetch) int { return strings.Compare(x.Name, y.Name) })
	return all, nil
}

// parseFetch reads a line of "apt-get --print-uris": 'URI' FILE BYTES CHECKSUM.
// The file is NAME_VERSION_ARCH.deb, with a colon written as %3a.
func parseFetch(line string) (fetch, error) {
	words := strings.Fields(line)
	if len(words) < 3 {
		return fetch{}, fmt.Errorf("apt-get --print-uris: what is %q?", line)
	}
	n, err := strconv.ParseInt(words[2], 10, 64)
	parts := strings.Split(strings.TrimSuffix(words[1], ".deb"), "_")
	if err != nil || len(parts) != 3 {
		return fetch{}, fmt.Errorf("apt-get --print-uris: what is %q?", line)
	}
	version := strings.ReplaceAll(parts[1], "%3a", ":")
	return fetch{Package: Package{Name: parts[0], Version: version, Arch: parts[2]}, file: words[1], bytes: n}, nil
}

// download fetches packages with all that they need. It tells progress how much
// is there, in percent.
func (a *apt) download(ctx context.Context, names []string, progress func(percent int)) error {
	args := append([]string{"-qq", "-y", "--download-only", "-o", "APT::Status-Fd=3", "install"}, names...)
	if _, err := a.run(ctx, func(r io.Reader) { readProgress(r, progress) }, a.get, args...); err != nil {
		return fmt.Errorf("fetch packages of %s: %w", a.suite, err)
	}
	return nil
}

// path is where a package is after it was fetched.
func (a *apt) path(f fetch) string { return filepath.Join(a.dir, "cache", "archives", f.file) }

// readProgress reads what apt says while it fetches: dlstatus:NUMBER:PERCENT:TEXT.
func readProgress(r io.Reader, progress func(percent int)) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		words := strings.SplitN(lines.Text(), ":", 4)
		if len(words) < 4 || words[0] != "dlstatus" {
			continue
		}
		if p, err := strconv.ParseFloat(words[2], 64); err == nil {
			progress(int(p))
		}
	}
}
