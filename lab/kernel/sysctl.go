package kernel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// sysctls implements [lab.Sysctls]. Which namespace's net.* a file below
// /proc/sys shows is decided by the thread that opens it.
type sysctls struct{ ns *Namespace }

// Get gives a parameter's value with its fields separated by single spaces.
func (s sysctls) Get(name string) (string, error) {
	path, err := sysctlPath(name)
	if err != nil {
		return "", err
	}
	var value []byte
	err = s.ns.Do(context.Background(), func() error {
		value, err = os.ReadFile(path)
		return err
	})
	if err != nil {
		return "", sysctlError("read", name, err)
	}
	return strings.Join(strings.Fields(string(value)), " "), nil
}

func (s sysctls) Set(name, value string) error {
	path, err := sysctlPath(name)
	if err != nil {
		return err
	}
	err = s.ns.Do(context.Background(), func() error {
		f, err := os.OpenFile(path, os.O_WRONLY, 0) // never O_CREATE: a missing parameter is an error
		if err != nil {
			return err
		}
		_, err = f.WriteString(value + "\n")
		return errors.Join(err, f.Close())
	})
	if err != nil {
		return sysctlError("set", name, err)
	}
	return nil
}

// sysctlPath is the file of a parameter: dots become slashes and slashes dots,
// as sysctl(8) has it.
func sysctlPath(name string) (string, error) {
	parts := strings.Split(name, ".")
	for i, p := range parts {
		p = strings.ReplaceAll(p, "/", ".")
		if p == "" || p == "." || p == ".." || strings.ContainsAny(p, "\x00 \t\n") {
			return "", lab.Usagef("%q is no name of a sysctl, such as net.ipv4.ip_forward", name)
		}
		parts[i] = p
	}
	return filepath.Join(append([]string{"/proc/sys"}, parts...)...), nil
}

func sysctlError(verb, name string, err error) error {
	what := verb + " the sysctl " + name
	if errors.Is(err, fs.ErrNotExist) {
		return &lab.UnsupportedError{
			What: what, Reason: "this kernel, or this network namespace, has no such parameter",
			Remedy: "load the kernel module that provides it, or use a newer kernel",
		}
	}
	if errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("%s: the kernel does not accept the value: %w", what, err)
	}
	return privileged(what, err)
}
