package kernel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/coreos/go-iptables/iptables"
	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// lockWait is how long a command waits for the lock that all users of iptables
// share, in seconds.
const lockWait = 10

// rules implements [lab.Rules] by iptables(8), or ip6tables(8), of one namespace.
type rules struct {
	ns   *Namespace
	ipt  *iptables.IPTables
	name string // iptables or ip6tables
	path string // where it was found
}

// openRules finds the packet filter of a family. It returns an
// [lab.UnsupportedError] where there is none or it may not be used.
func openRules(ns *Namespace, ip lab.Family) (*rules, error) {
	r := &rules{ns: ns, name: "iptables"}
	protocol := iptables.ProtocolIPv4
	if ip == lab.IPv6 {
		r.name, protocol = "ip6tables", iptables.ProtocolIPv6
	}
	var err error
	if r.path, err = lab.FindProgram(r.name); err != nil {
		if no, ok := errors.AsType[*lab.UnsupportedError](err); ok {
			no.Remedy = "apt-get install iptables, or dnf install iptables; else " + no.Remedy
		}
		return nil, err
	}
	if !HasNetAdmin() {
		return nil, &lab.UnsupportedError{
			What: "packet filter", Reason: r.name + " needs CAP_NET_ADMIN", Remedy: asRoot,
		}
	}
	r.ipt, err = iptables.New(iptables.Path(r.path), iptables.IPFamily(protocol), iptables.Timeout(lockWait))
	if err != nil {
		return nil, fmt.Errorf("ask %s for its version: %w", r.path, err)
	}
	return r, nil
}

func (r *rules) NewChain(table, chain string) error {
	return r.do("make the chain "+table+"/"+chain, func() error { return r.ipt.NewChain(table, chain) })
}

func (r *rules) Insert(table, chain string, rule ...string) error {
	return r.do("insert a rule into "+table+"/"+chain, func() error {
		return r.ipt.Insert(table, chain, 1, rule...)
	})
}

func (r *rules) Delete(table, chain string, rule ...string) error {
	return unlessGone(r.do("delete a rule of "+table+"/"+chain, func() error {
		return r.ipt.Delete(table, chain, rule...)
	}))
}

func (r *rules) HasChain(table, chain string) (has bool, err error) {
	err = r.do("look for the chain "+table+"/"+chain, func() error {
		has, err = r.ipt.ChainExists(table, chain)
		return err
	})
	return has, err
}

// DeleteChain flushes and deletes a chain, with its parts if it has some. It
// fails while rules elsewhere jump to it.
func (r *rules) DeleteChain(table, chain string) error {
	err := r.do("delete the chain "+table+"/"+chain, func() error {
		return r.ipt.ClearAndDeleteChain(table, chain)
	})
	if unlessGone(err) != nil {
		return err
	}
	return r.do("delete the parts of the chain "+table+"/"+chain, func() error { return r.deleteParts(table, chain) })
}

func (r *rules) SetChain(table, chain string, rules [][]string) error {
	script, err := chainScript(table, chain, rules)
	if err != nil {
		return err
	}
	return r.do("fill the chain "+table+"/"+chain, func() error {
		err := r.restore(script)
		if err != nil && strings.Contains(strings.ToLower(err.Error()), unix.EMSGSIZE.Error()) {
			return r.setInParts(table, chain, rules)
		}
		return err
	})
}

// restore runs a script in one transaction and touches nothing else.
func (r *rules) restore(script string) error {
	cmd := r.sibling("-restore", "--noflush", "--wait", strconv.Itoa(lockWait))
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = strings.NewReader(script), &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s-restore: %w: %s", r.name, err, strings.TrimSpace(stderr.String()))
	}
	return nil
}

// save lists all tables at once (iptables-save(8)).
func (r *rules) save() (string, error) {
	var stdout, stderr bytes.Buffer
	err := r.do("list the rules", func() error {
		cmd := r.sibling("-save")
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s-save: %w: %s", r.name, err, strings.TrimSpace(stderr.String()))
		}
		return nil
	})
	return stdout.String(), err
}

// sibling is a command of the same back end as the iptables that was found:
// all of them are one binary, which goes by the name it is called by.
func (r *rules) sibling(suffix string, args ...string) *exec.Cmd {
	path := r.path
	if target, err := filepath.EvalSymlinks(r.path); err == nil {
		path = target
	}
	if !strings.HasSuffix(filepath.Base(path), "-multi") {
		return exec.Command(r.path+suffix, args...)
	}
	cmd := exec.Command(path, args...)
	cmd.Args[0] = r.name + suffix
	return cmd
}

func (r *rules) do(what string, f func() error) error {
	return filterError(what, r.ns.Do(context.Background(), f))
}

// unlessGone makes the deletion of what is not there no error.
func unlessGone(err error) error {
	if errors.Is(err, errGone) {
		return nil
	}
	return err
}
