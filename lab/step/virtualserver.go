package step

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/portlab/portlab/lab"
)

// VirtualServer is one of IPVS with its real servers. It is for a host of the
// run's own: nothing in it says whose it is.
type VirtualServer lab.VirtualServer

// ID names the address.
func (v VirtualServer) ID() string { return fmt.Sprintf("virtual server %s %s", v.Transport, v.At) }

// Apply makes it.
func (v VirtualServer) Apply(_ context.Context, h lab.Host) error {
	all, err := h.VirtualServers()
	if err != nil {
		return err
	}
	if err := all.Set(lab.VirtualServer(v)); err != nil {
		return errors.Join(err, all.Delete(v.At, v.Transport))
	}
	return nil
}

// Replace gives it other real servers, the new ones first. Connections to those
// that leave go on.
func (v VirtualServer) Replace(_ context.Context, h lab.Host, next lab.Step) error {
	n, ok := next.(VirtualServer)
	if !ok || n.ID() != v.ID() {
		return fmt.Errorf("%s cannot become %s", v.ID(), next.ID())
	}
	all, err := h.VirtualServers()
	if err != nil {
		return err
	}
	return all.Set(lab.VirtualServer(n))
}

// Revert deletes it.
func (v VirtualServer) Revert(_ context.Context, h lab.Host) error {
	all, err := h.VirtualServers()
	if err != nil {
		return err
	}
	return all.Delete(v.At, v.Transport)
}

// Shell makes it by ipvsadm(8).
func (v VirtualServer) Shell() []string {
	at := []string{v.option(), v.At.String()}
	scheduler := []string{"-s", v.Scheduler}
	if lab.VirtualServer(v).Fallback() {
		scheduler = append(scheduler, "-b", v.Scheduler+"-fallback")
	}
	lines := []string{ipvsadm("-A", append(at, scheduler...)...)}
	for _, s := range v.Servers {
		lines = append(lines, ipvsadm("-a", append(at, "-r", s.At.String(), "-m", "-w", strconv.Itoa(s.Weight))...))
	}
	return lines
}

// Undo deletes it.
func (v VirtualServer) Undo() []string { return []string{ipvsadm("-D", v.option(), v.At.String())} }

// option is that of the transport.
func (v VirtualServer) option() string {
	if v.Transport == "udp" {
		return "-u"
	}
	return "-t"
}

func ipvsadm(command string, words ...string) string {
	return lab.ShellLine(append([]string{"ipvsadm", command}, words...)...)
}
