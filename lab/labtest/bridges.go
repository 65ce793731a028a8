package labtest

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/portlab/portlab/lab"
)

// bridges is the fake of [lab.Bridges]: every link of the fake host is a bridge
// but the loopback link and those of another kind.
type bridges struct{ h *Host }

func (b bridges) Hairpin(bridge string, on bool) error {
	b.h.mu.Lock()
	defer b.h.mu.Unlock()
	if err := b.h.mutate("hairpin of " + bridge); err != nil {
		return err
	}
	known := slices.ContainsFunc(b.h.links, func(l Link) bool { return l.Name == bridge && l.Name != "lo" && !l.Kind.OnParent() })
	if !known {
		return fmt.Errorf("bridge %s: %w", bridge, fs.ErrNotExist)
	}
	b.h.hairpins = slices.DeleteFunc(b.h.hairpins, func(name string) bool { return name == bridge })
	if on {
		b.h.hairpins = append(b.h.hairpins, bridge)
		slices.Sort(b.h.hairpins)
	}
	return nil
}

// Bridges gives the bridges among the links.
func (h *Host) Bridges() lab.Bridges { return bridges{h} }

// hairpinLine understands the one pipe that steps write.
func (h *Host) hairpinLine(line string) (understood bool, err error) {
	rest, ok := strings.CutPrefix(line, "ip -o link show master ")
	if !ok {
		return false, nil
	}
	bridge, rest, _ := strings.Cut(rest, " | ")
	mode, ok := strings.CutPrefix(rest, "awk -F '[:@ ]+' '{print $2}' | xargs -r -I PORT ip link set PORT type bridge_slave hairpin ")
	if !ok || (mode != "on" && mode != "off") {
		return false, nil
	}
	return true, h.Bridges().Hairpin(bridge, mode == "on")
}
