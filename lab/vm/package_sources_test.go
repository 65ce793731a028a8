package vm

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/portlab/portlab/lab"
)

const bookworm = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_CODENAME=bookworm\n"

// machineFiles is the root folder of a machine.
func machineFiles(files map[string]string) fstest.MapFS {
	all := fstest.MapFS{}
	for name, text := range files {
		all[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return all
}

// Of the sources of a machine, those of others are left alone, and a suite is
// taken from where the installed one comes from, in either form of the files.
func TestSuiteComesFromTheSourcesOfTheMachine(t *testing.T) {
	others := "deb https://packages.test/apt tools-bookworm main\ndeb https://packages.test/docker bookworm stable\n"
	forms := map[string]map[string]string{
		"stanzas": {"etc/apt/sources.list.d/debian.sources": `Types: deb
# a comment
URIs: http://mirror.test/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /keys/debian.gpg

Types: deb
URIs: http://mirror.test/security
Suites: bookworm-security
Components: main
Signed-By: /keys/debian.gpg

Enabled: no
Types: deb
URIs: http://off.test/debian
Suites: bookworm
Components: main
`},
		"lines": {"etc/apt/sources.list": `# deb http://off.test/debian bookworm main
deb [arch=amd64 signed-by=/keys/debian.gpg] http://mirror.test/debian bookworm main contrib # ours
deb-src http://mirror.test/debian bookworm main
deb [ signed-by=/keys/debian.gpg trusted=yes ] http://mirror.test/security bookworm-security main
`},
	}
	want := `Types: deb
URIs: http://mirror.test/debian
Suites: trixie
Components: main
Signed-By: /keys/debian.gpg

Types: deb
URIs: http://mirror.test/security
Suites: trixie-security
Components: main
Signed-By: /keys/debian.gpg

`
	for name, files := range forms {
		files["etc/os-release"] = bookworm
		files["etc/apt/sources.list.d/others.list"] = others
		d, err := thisDistribution(machineFiles(files))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := d.stanzasFor("trixie"); got != want {
			t.Errorf("%s: the sources for trixie are\n%s, want\n%s", name, got, want)
		}
	}
}

func TestKeyWithinSourceIsKept(t *testing.T) {
	key := " -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINBF\n -----END PGP PUBLIC KEY BLOCK-----"
	d, err := thisDistribution(machineFiles(map[string]string{
		"etc/os-release":                   bookworm,
		"etc/apt/sources.list.d/a.sources": "Types: deb\nURIs: http://mirror.test\nSuites: bookworm\nComponents: main\nSigned-By:\n" + key + "\n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if got := d.stanzasFor("bookworm"); !strings.Contains(got, key) {
		t.Errorf("the key is not in\n%s", got)
	}
}

func TestSidHasNoSecurityUpdates(t *testing.T) {
	d := distribution{codename: "bookworm", sources: []source{
		{keyTypes: "deb", keyURIs: "http://mirror.test", keySuites: "bookworm bookworm-security", keyComponents: "main"},
	}}
	if got := d.stanzasFor("sid"); strings.Contains(got, "security") || !strings.Contains(got, "Suites: sid\n") {
		t.Errorf("the sources for sid are\n%s", got)
	}
}

func TestOtherDistributionsAreRefused(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"Ubuntu":           {"etc/os-release": "ID=ubuntu\nVERSION_CODENAME=noble\n"},
		"no os-release":    {},
		"no codename":      {"etc/os-release": "ID=debian\n"},
		"no source at all": {"etc/os-release": bookworm},
		"another's source": {"etc/os-release": bookworm, "etc/apt/sources.list": "deb https://packages.test/docker bookworm stable\n"},
	} {
		_, err := thisDistribution(machineFiles(files))
		if !errors.Is(err, lab.ErrUnsupported) {
			t.Errorf("%s: %v, want that it is not supported", name, err)
		}
	}
}
