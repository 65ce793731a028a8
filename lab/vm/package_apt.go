package vm

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

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
