package vm

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/portlab/portlab/lab"
)

// apt is an installation of apt of its own, in a folder: it has this machine's
// sources, keys and ways to the network (proxies), and no package is installed
// in it. So apt finds everything that a package needs, for any suite, checks the
// signatures, and nothing of the machine changes.
type apt struct {
	dir   string
	get   string // path of apt-get
	cache string // path of apt-cache
	suite string
}

// standIns are packages that only prepare or configure an installed system: the
// private apt takes them as installed, so it fetches neither them nor what only
// they need. No program of an image uses them.
var standIns = []string{
	"adduser", "debconf", "dpkg", "init-system-helpers", "initramfs-tools", "linux-base", "lsb-base",
	"perl", "perl-base", "systemd", "sysvinit-utils", "ucf", "udev", "dmsetup",
}

// newApt lays the folders out and writes the configuration. acquire is how this
// machine's apt fetches: lines of apt.conf(5). The packages installed are taken
// for that.
func newApt(dir string, d distribution, suite, arch, acquire string, installed []string) (*apt, error) {
	a := &apt{dir: dir, suite: suite}
	for name, path := range map[string]*string{"apt-get": &a.get, "apt-cache": &a.cache} {
		var err error
		if *path, err = lab.FindProgram(name); err != nil {
			return nil, err
		}
	}
	for _, sub := range []string{"etc/empty", "state/lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	for name, text := range map[string]string{
		"etc/packages.sources": d.stanzasFor(suite), "state/status": stubs(installed), "apt.conf": aptConf(dir, arch, acquire),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// aptConf is the configuration: all that apt would read or write elsewhere is
// in dir, but for the keys of the machine and its names for proxies.
func aptConf(dir, arch, acquire string) string {
	return fmt.Sprintf(`%s
#clear Acquire::Languages;
Acquire::Languages "none";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
APT::Get::AllowUnauthenticated "false";
APT::Install-Recommends "false";
APT::Architecture "%s";
#clear APT::Architectures;
APT::Architectures { "%[2]s"; };
APT::Sandbox::User "root";
Dir::Etc "%[3]s/etc";
Dir::Etc::parts "%[3]s/etc/empty";
Dir::Etc::preferencesparts "%[3]s/etc/empty";
Dir::Etc::sourceparts "%[3]s/etc";
Dir::Etc::trusted "/etc/apt/trusted.gpg";
Dir::Etc::trustedparts "/etc/apt/trusted.gpg.d";
Dir::Etc::netrc "/etc/apt/auth.conf";
Dir::Etc::netrcparts "/etc/apt/auth.conf.d";
Dir::State "%[3]s/state";
Dir::State::status "%[3]s/state/status";
Dir::Cache "%[3]s/cache";
Dir::Log "%[3]s/state";
`, acquire, arch, dir)
}

// stubs describe packages as installed, in a version above all others.
func stubs(names []string) string {
	var b strings.Builder
	for _, name := range names {
		fmt.Fprintf(&b, "Package: %s\nStatus: install ok installed\nMaintainer: portlab <portlab@localhost>\nArchitecture: all\n"+
			"Multi-Arch: foreign\nVersion: 999:0\nDescription: stands in for the package\n\n", name)
	}
	return b.String()
}

// aptAcquire is how this machine's apt fetches, as lines of apt.conf(5): its
// proxies, time limits and the like.
func aptAcquire(ctx context.Context) (string, error) {
	config, err := lab.FindProgram("apt-config")
	if err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, config, "dump").Output()
	if err != nil {
		return "", fmt.Errorf("ask apt how it fetches: %w", said(err))
	}
	var kept []string
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "Acquire::") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, ""), nil
}

// update fetches the lists of packages.
func (a *apt) update(ctx context.Context) error {
	if _, err := a.run(ctx, nil, a.get, "-qq", "update"); err != nil {
		return fmt.Errorf("fetch the lists of packages of %s: %w", a.suite, err)
	}
	return nil
}

// knows says whether the suite has a package.
func (a *apt) knows(ctx context.Context, name string) bool {
	_, err := a.run(ctx, nil, a.cache, "show", name)
	return err == nil
}

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

// run runs a program of apt's, and returns what it prints. If status is given,
// it reads the program's file descriptor 3. When ctx ends, the program is asked
// to end, and so cleans up after itself.
func (a *apt) run(ctx context.Context, status func(io.Reader), name string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, name, args...)
	c.Env = append(os.Environ(), "APT_CONFIG="+filepath.Join(a.dir, "apt.conf"), "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive")
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = 5 * time.Second
	// A terminal's ^C is for portlab, which then ends apt.
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	var out, errs strings.Builder
	c.Stdout, c.Stderr = &out, &errs
	done := func() error { return nil }
	if status != nil {
		var err error
		if done, err = watchStatus(c, status); err != nil {
			return "", err
		}
	}
	err := c.Run()
	if err := errors.Join(err, done()); err != nil {
		return "", fmt.Errorf("%s: %w", filepath.Base(name), saidBy(err, errs.String()))
	}
	return out.String(), nil
}

// watchStatus gives a command a pipe as file descriptor 3, and lets status read
// it. What it returns must be called after the command has ended.
func watchStatus(c *exec.Cmd, status func(io.Reader)) (func() error, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c.ExtraFiles = []*os.File{w}
	read := make(chan struct{})
	go func() {
		defer close(read)
		status(r)
	}()
	return func() error {
		err := w.Close()
		<-read
		return errors.Join(err, r.Close())
	}, nil
}

// said adds what a program wrote to its standard error to its end.
func said(err error) error {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return saidBy(err, string(exit.Stderr))
	}
	return err
}

// saidBy adds the errors that a program told to its end: those of apt begin
// with "E: ", and warnings are left out where there is one.
func saidBy(err error, text string) error {
	var all, errs []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if problem, ok := strings.CutPrefix(line, "E: "); ok {
			errs = append(errs, problem)
		}
		if line != "" {
			all = append(all, line)
		}
	}
	if len(errs) == 0 {
		errs = all
	}
	if len(errs) == 0 {
		return err
	}
	return fmt.Errorf("%w: %s", err, strings.Join(errs, "; "))
}
