package labtest

import (
	"fmt"
	"io/fs"
)

// sysctls is the fake of [lab.Sysctls].
type sysctls struct{ h *Host }

func (s sysctls) Get(name string) (string, error) {
	s.h.mu.Lock()
	defer s.h.mu.Unlock()
	v, ok := s.h.sysctls[name]
	if !ok {
		return "", fmt.Errorf("sysctl %s: %w", name, fs.ErrNotExist)
	}
	return v, nil
}

func (s sysctls) Set(name, value string) error {
	s.h.mu.Lock()
	defer s.h.mu.Unlock()
	if err := s.h.mutate("set " + name); err != nil {
		return err
	}
	if _, ok := s.h.sysctls[name]; !ok {
		return fmt.Errorf("sysctl %s: %w", name, fs.ErrNotExist)
	}
	s.h.sysctls[name] = value
	return nil
}
