package kernel

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/moby/ipvs"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// virtualServers implements [lab.VirtualServers] by generic netlink.
type virtualServers struct{ ns *Namespace }

// openVirtualServers returns an [lab.UnsupportedError] where the kernel has no
// IPVS, or this user may not use it. To ask for it loads the module, if there
// is one.
func openVirtualServers(ns *Namespace) (v virtualServers, err error) {
	const what = "IPVS"
	if !HasNetAdmin() {
		return v, &lab.UnsupportedError{What: what, Reason: "it needs CAP_NET_ADMIN", Remedy: asRoot}
	}
	err = ns.Do(context.Background(), func() error {
		_, err := netlink.GenlFamilyGet("IPVS")
		return err
	})
	if errors.Is(err, unix.ENOENT) {
		return v, &lab.UnsupportedError{
			What: what, Reason: "this kernel has no IPVS (CONFIG_IP_VS)",
			Remedy: "load the module: modprobe ip_vs; where there is none, use another kernel, in a virtual machine: --in-vm",
		}
	}
	if err != nil {
		return v, privileged("ask for IPVS", err)
	}
	return virtualServers{ns}, nil
}

func (v virtualServers) Set(s lab.VirtualServer) error {
	return v.do(fmt.Sprintf("set the virtual server %s", s.At), func(h *ipvs.Handle) error {
		service := serviceOf(s.At, s.Transport)
		service.SchedName = s.Scheduler
		if s.Fallback() {
			service.Flags = schedFallback
		}
		if h.IsServicePresent(service) {
			if err := h.UpdateService(service); err != nil {
				return err
			}
		} else if err := h.NewService(service); err != nil {
			return err
		}
		return setServers(h, service, s.Servers)
	})
}

// schedFallback is IP_VS_SVC_F_SCHED_SH_FALLBACK of linux/ip_vs.h, which mh has
// by another name.
const schedFallback = 8

// setServers adds and changes real servers before it takes any away.
func setServers(h *ipvs.Handle, service *ipvs.Service, servers []lab.RealServer) error {
	old, err := h.GetDestinations(service)
	if err != nil {
		return err
	}
	present := map[netip.AddrPort]*ipvs.Destination{}
	for _, d := range old {
		present[addrPort(d.Address, d.Port)] = d
	}
	for _, s := range servers {
		d := &ipvs.Destination{
			Address: s.At.Addr().AsSlice(), Port: s.At.Port(), AddressFamily: service.AddressFamily,
			Weight: s.Weight, ConnectionFlags: ipvs.ConnFwdMasq,
		}
		change := h.NewDestination
		if present[s.At] != nil {
			change = h.UpdateDestination
		}
		if err := change(service, d); err != nil {
			return fmt.Errorf("real server %s: %w", s.At, err)
		}
	}
	for at, d := range present {
		if slices.ContainsFunc(servers, func(s lab.RealServer) bool { return s.At == at }) {
			continue
		}
		if err := retire(h, service, d); err != nil {
			return fmt.Errorf("real server %s: %w", at, err)
		}
	}
	return nil
}

// retire gives a real server no new connection. With connections it stays: the
// packets of those would be lost with it. Those over UDP, and those over TCP of
// which one side has hung up, are inactive to the kernel.
func retire(h *ipvs.Handle, service *ipvs.Service, d *ipvs.Destination) error {
	if d.ActiveConnections+d.InactiveConnections == 0 {
		return h.DelDestination(service, d)
	}
	d.Weight = 0
	return h.UpdateDestination(service, d)
}

func (v virtualServers) Delete(at netip.AddrPort, transport string) error {
	return v.do(fmt.Sprintf("delete the virtual server %s", at), func(h *ipvs.Handle) error {
		service := serviceOf(at, transport)
		if !h.IsServicePresent(service) {
			return nil
		}
		return h.DelService(service)
	})
}

// serviceOf names a virtual server. The netmask is that of one client, as a
// number of bits for IPv6.
func serviceOf(at netip.AddrPort, transport string) *ipvs.Service {
	s := &ipvs.Service{
		Address: at.Addr().AsSlice(), Port: at.Port(), Protocol: unix.IPPROTO_TCP,
		AddressFamily: unix.AF_INET, Netmask: 0xffffffff,
	}
	if transport == "udp" {
		s.Protocol = unix.IPPROTO_UDP
	}
	if at.Addr().Is6() {
		s.AddressFamily, s.Netmask = unix.AF_INET6, 128
	}
	return s
}

func (v virtualServers) do(what string, f func(*ipvs.Handle) error) error {
	err := v.ns.Do(context.Background(), func() error {
		h, err := ipvs.New("")
		if err != nil {
			return err
		}
		defer h.Close()
		return f(h)
	})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENOENT):
		return &lab.UnsupportedError{
			What: what, Reason: fmt.Sprintf("the kernel has not that scheduler (%v)", err),
			Remedy: "load its module, such as modprobe ip_vs_mh",
		}
	}
	return privileged(what, err)
}
