package vm

import (
	"bufio"
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/portlab/portlab/lab"
)

// source is a place from which apt fetches packages (sources.list(5)). Its keys
// are those of a stanza in the deb822 form.
type source map[string]string

// The keys of a source that are read or changed here.
const (
	keyTypes      = "types"
	keyURIs       = "uris"
	keySuites     = "suites"
	keyComponents = "components"
	keySignedBy   = "signed-by"
	keyEnabled    = "enabled"
)

// distribution is what this machine's apt is set up for.
type distribution struct {
	codename string   // of the release that is installed, such as bookworm
	sources  []source // the archive's own, for that release
}

// thisDistribution reads the files of a machine, whose root folder is root. It
// is a [lab.UnsupportedError] where they are not Debian's.
func thisDistribution(root fs.FS) (distribution, error) {
	release, err := fs.ReadFile(root, "etc/os-release")
	if err != nil {
		return distribution{}, notDebian("it does not say what it is: " + err.Error())
	}
	is := osRelease(string(release))
	if is["ID"] != "debian" {
		return distribution{}, notDebian("this machine runs " + cmp.Or(is["PRETTY_NAME"], is["ID"], "something else"))
	}
	d := distribution{codename: is["VERSION_CODENAME"]}
	if d.codename == "" {
		return distribution{}, notDebian("/etc/os-release has no VERSION_CODENAME")
	}
	all, err := readSources(root)
	if err != nil {
		return distribution{}, err
	}
	for _, s := range all {
		if s.serves(d.codename) {
			d.sources = append(d.sources, s)
		}
	}
	if len(d.sources) == 0 {
		return distribution{}, notDebian("no source of apt has the component main of " + d.codename)
	}
	return d, nil
}

func notDebian(reason string) error {
	return &lab.UnsupportedError{
		What: "portlab vm build", Reason: "images are made of Debian's packages, fetched from the sources of this machine's apt: " + reason,
		Remedy: "build on Debian 12 or newer, and copy the folder of images, which " + CacheEnv + " may name",
	}
}

// osRelease reads os-release(5).
func osRelease(text string) map[string]string {
	is := map[string]string{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			is[key] = strings.Trim(value, `"'`)
		}
	}
	return is
}

// readSources reads all sources of apt, in the order in which apt does.
func readSources(root fs.FS) ([]source, error) {
	files, err := fs.Glob(root, "etc/apt/sources.list.d/*")
	if err != nil {
		return nil, err
	}
	var all []source
	for _, name := range append([]string{"etc/apt/sources.list"}, files...) {
		b, err := fs.ReadFile(root, name)
		switch {
		case err != nil && name == "etc/apt/sources.list": // newer systems have none
		case err != nil:
			return nil, fmt.Errorf("read the sources of apt: %w", err)
		case path.Ext(name) == ".sources":
			all = append(all, stanzas(string(b))...)
		case path.Ext(name) == ".list":
			all = append(all, oneLines(string(b))...)
		}
	}
	return all, nil
}

// stanzas reads the deb822 form: keys with values that go on in indented lines.
func stanzas(text string) []source {
	var all []source
	s, last := source{}, ""
	end := func() {
		if len(s) > 0 {
			all = append(all, s)
		}
		s, last = source{}, ""
	}
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.TrimSpace(line) == "":
			end()
		case line[0] == ' ' || line[0] == '\t':
			s[last] += "\n" + line
		default:
			key, value, _ := strings.Cut(line, ":")
			last = strings.ToLower(strings.TrimSpace(key))
			s[last] = strings.TrimSpace(value)
		}
	}
	end()
	return all
}

// oneLines reads the form "deb [OPTION=VALUE ...] URI SUITE COMPONENT...".
func oneLines(text string) []source {
	var all []source
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), "#")
		kind, rest, _ := strings.Cut(line, " ")
		s := source{keyTypes: kind}
		if options, after, ok := strings.Cut(strings.TrimSpace(rest), "]"); ok && strings.HasPrefix(options, "[") {
			for o := range strings.FieldsSeq(options[1:]) {
				key, value, _ := strings.Cut(o, "=")
				s[strings.ToLower(key)] = strings.ReplaceAll(value, ",", " ")
			}
			rest = after
		}
		if words := strings.Fields(rest); len(words) >= 3 {
			s[keyURIs], s[keySuites], s[keyComponents] = words[0], words[1], strings.Join(words[2:], " ")
			all = append(all, s)
		}
	}
	return all
}

// serves says whether s is one of the archive's own for a release: packages of
// its component main, or of its security updates.
func (s source) serves(codename string) bool {
	return s.has(keyTypes, "deb") && s.has(keyComponents, "main") && s[keyEnabled] != "no" &&
		(s.has(keySuites, codename) || s.has(keySuites, codename+securitySuffix))
}

func (s source) has(key, word string) bool { return slices.Contains(strings.Fields(s[key]), word) }

// securitySuffix ends the name of the suite of a release's security updates.
const securitySuffix = "-security"

// stanzasFor are the sources for a suite, in the deb822 form, for the file of a
// private apt. What makes apt trust a source without a signature is left out.
func (d distribution) stanzasFor(suite string) string {
	var b strings.Builder
	for _, s := range d.sources {
		for _, suffix := range []string{"", securitySuffix} {
			if !s.has(keySuites, d.codename+suffix) || suffix != "" && rolling(suite) {
				continue
			}
			fmt.Fprintf(&b, "Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n", s[keyURIs], suite+suffix)
			if s[keySignedBy] != "" {
				fmt.Fprintf(&b, "Signed-By: %s\n", s[keySignedBy])
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}

// rolling says whether a suite has no security updates of its own.
func rolling(suite string) bool { return suite == "sid" || suite == "unstable" }
