package labtest

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/portlab/portlab/lab"
)

// virtualServers is the fake of [lab.VirtualServers]. None has connections, so a
// real server that leaves is deleted at once.
type virtualServers struct{ h *Host }

// VirtualServers gives IPVS.
func (h *Host) VirtualServers() (lab.VirtualServers, error) { return virtualServers{h}, nil }

// virtualKey names a virtual server.
type virtualKey struct {
	at        netip.AddrPort
	transport string
}

// schedulers are those that the fake kernel has (ipvsadm(8)).
var schedulers = []string{"rr", "wrr", "lc", "wlc", "sh", "mh"}

func (v virtualServers) Set(s lab.VirtualServer) error {
	v.h.mu.Lock()
	defer v.h.mu.Unlock()
	if err := v.h.mutate("set the virtual server " + s.At.String()); err != nil {
		return err
	}
	if err := v.h.verifyVirtual(s); err != nil {
		return fmt.Errorf("virtual server %s: %w", s.At, err)
	}
	v.h.virtual[virtualKey{s.At, s.Transport}] = s
	return nil
}

func (h *Host) verifyVirtual(s lab.VirtualServer) error {
	switch {
	case s.Transport != "tcp" && s.Transport != "udp":
		return fmt.Errorf("unknown transport %q", s.Transport)
	case !slices.Contains(schedulers, s.Scheduler):
		return fmt.Errorf("no such file or directory: scheduler %q", s.Scheduler)
	case !h.isLocal(s.At.Addr()) || s.At.Addr().IsLoopback():
		return errors.New("what is sent there does not come to IPVS")
	}
	seen := map[netip.AddrPort]bool{}
	for _, r := range s.Servers {
		switch {
		case r.At.Addr().Is4() != s.At.Addr().Is4():
			return fmt.Errorf("real server %s is of another IP version", r.At)
		case r.Weight < 1 || r.Weight > 65535:
			return fmt.Errorf("real server %s: illegal weight %d", r.At, r.Weight)
		case seen[r.At]:
			return fmt.Errorf("real server %s: destination already exists", r.At)
		}
		seen[r.At] = true
	}
	return nil
}

func (v virtualServers) Delete(at netip.AddrPort, transport string) error {
	v.h.mu.Lock()
	defer v.h.mu.Unlock()
	if err := v.h.mutate("delete the virtual server " + at.String()); err != nil {
		return err
	}
	delete(v.h.virtual, virtualKey{at, transport})
	return nil
}

// ipvsadm understands -A, -a and -D as steps write them.
func (h *Host) ipvsadm(words []string) error {
	if len(words) < 3 || words[1] != "-t" && words[1] != "-u" {
		return fmt.Errorf("a command and -t or -u with an address were expected: %q", words)
	}
	at, err := netip.ParseAddrPort(words[2])
	if err != nil {
		return err
	}
	key := virtualKey{at, map[string]string{"-t": "tcp", "-u": "udp"}[words[1]]}
	v := virtualServers{h}
	h.mu.Lock()
	s, there := h.virtual[key]
	h.mu.Unlock()
	switch rest := words[3:]; {
	case words[0] == "-A" && len(rest) >= 2 && rest[0] == "-s":
		s := lab.VirtualServer{At: at, Transport: key.transport, Scheduler: rest[1]}
		switch told := slices.Equal(rest[2:], []string{"-b", s.Scheduler + "-fallback"}); {
		case there:
			return errors.New("service already exists")
		case told != s.Fallback() || !told && len(rest) > 2:
			return fmt.Errorf("with the scheduler %s: %q", s.Scheduler, rest[2:])
		}
		return v.Set(s)
	case !there:
		return errors.New("service not defined")
	case words[0] == "-a" && len(rest) == 5 && rest[0] == "-r" && rest[2] == "-m" && rest[3] == "-w":
		server, err := netip.ParseAddrPort(rest[1])
		weight, e := strconv.Atoi(rest[4])
		if err = errors.Join(err, e); err != nil {
			return err
		}
		s.Servers = append(slices.Clone(s.Servers), lab.RealServer{At: server, Weight: weight})
		return v.Set(s)
	case words[0] == "-D" && len(rest) == 0:
		return v.Delete(at, key.transport)
	}
	return fmt.Errorf("unknown: %q", words)
}
