package vm

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// before are the modules that a soft dependency, "pre: A B post: C", wants to be
// loaded first (modprobe.d(5)).
func before(softdep string) []string {
	var names []string
	pre := false
	for word := range strings.FieldsSeq(softdep) {
		switch word {
		case "pre:":
			pre = true
		case "post:":
			pre = false
		default:
			if pre {
				names = append(names, moduleName(word))
			}
		}
	}
	return names
}

// modinfo reads the section .modinfo of a module: strings KEY=VALUE, each ended
// by a zero byte.
func modinfo(content []byte) (map[string][]string, error) {
	f, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s := f.Section(".modinfo")
	if s == nil {
		return nil, errors.New("it has no section .modinfo")
	}
	data, err := s.Data()
	if err != nil {
		return nil, err
	}
	info := map[string][]string{}
	for entry := range bytes.SplitSeq(data, []byte{0}) {
		if key, value, ok := strings.Cut(string(entry), "="); ok {
			info[key] = append(info[key], value)
		}
	}
	return info, nil
}

// moduleNeeds is the file modules.dep of modules in an order in which they can
// be loaded (modules.dep(5)): for each the files that it needs, directly or not,
// the one that must be loaded first last.
func moduleNeeds(modules []kernelModule) string {
	var b strings.Builder
	paths, all := map[string]string{}, map[string][]string{}
	for _, m := range modules {
		var needs []string // in the order in which they are loaded
		for _, n := range m.needs {
			if paths[n] == "" {
				continue // built in
			}
			for _, x := range append(slices.Clone(all[n]), n) {
				if !slices.Contains(needs, x) {
					needs = append(needs, x)
				}
			}
		}
		paths[m.name], all[m.name] = m.path, needs
		fmt.Fprintf(&b, "%s:", m.path)
		for _, n := range slices.Backward(needs) {
			b.WriteString(" " + paths[n])
		}
		b.WriteString("\n")
	}
	return b.String()
}

// moduleAliases is the file modules.alias: by which names the kernel asks for
// which module.
func moduleAliases(modules []kernelModule) string {
	var b strings.Builder
	for _, m := range modules {
		for _, a := range m.aliases {
			fmt.Fprintf(&b, "alias %s %s\n", a, m.name)
		}
	}
	return b.String()
}
