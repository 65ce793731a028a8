package step

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/portlab/portlab/lab"
)

// Sysctl sets a parameter of something that the run itself made, such as
// route_localnet of its bridge. It says what it must find there before, so
// that the revert needs no memory: it puts Before back where it finds Value,
// leaves anything else alone, and is content when the parameter has gone away
// with the thing it belonged to. It is not for parameters of the host at large,
// which may have been at Value already or be changed by others meanwhile.
type Sysctl struct {
	Name   string // with dots, such as net.ipv4.conf.br0.route_localnet
	Before string // what the parameter is before
	Value  string // what the step makes of it
}

// ID names the parameter.
func (s Sysctl) ID() string { return "sysctl " + s.Name }

// Note says what the parameter is now, and what it will be.
func (s Sysctl) Note(_ context.Context, h lab.Host) (lab.Note, error) {
	now, err := h.Sysctls().Get(s.Name)
	if err != nil {
		return lab.Note{}, err
	}
	return lab.Note{Kind: "sysctl", Name: s.Name, Before: now, After: s.Value}, nil
}

// Apply sets the parameter. It is an error if it finds a value that is neither
// Before nor Value.
func (s Sysctl) Apply(_ context.Context, h lab.Host) error {
	now, err := h.Sysctls().Get(s.Name)
	switch {
	case err != nil:
		return err
	case now == s.Value:
		return nil
	case now != s.Before:
		return fmt.Errorf("%s is %q where %q was expected: something else has changed it, so it is left alone", s.Name, now, s.Before)
	}
	return h.Sysctls().Set(s.Name, s.Value)
}

// Revert puts Before back.
func (s Sysctl) Revert(_ context.Context, h lab.Host) error {
	now, err := h.Sysctls().Get(s.Name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case now != s.Value:
		return nil
	}
	return h.Sysctls().Set(s.Name, s.Before)
}

// Shell sets the parameter.
func (s Sysctl) Shell() []string { return []string{lab.ShellLine("sysctl", "-w", s.Name+"="+s.Value)} }

// Undo puts Before back.
func (s Sysctl) Undo() []string { return []string{lab.ShellLine("sysctl", "-w", s.Name+"="+s.Before)} }
