package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/load"
)

// viaFlags are the flags that have other machines call the front.
type viaFlags struct {
	frontAddress string
	clientVia    string
}

// viaSSH is before the destination of a client that is reached by ssh(1).
const viaSSH = "ssh:"

func (f *viaFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.frontAddress, "front-address", "", "an `ADDRESS` of this machine's own to have as the front's, which other machines can call meanwhile (default one that none can)")
	c.Flags().StringVar(&f.clientVia, "client-via", "", "have the client on another machine, reached `VIA` ssh:[USER@]HOST without a question, or ssh: and a name of ~/.ssh/config; the front is then at this machine's address as it is seen from there")
}

// front is the address that was asked for; invalid: none was.
func (f *viaFlags) front() (netip.Addr, error) {
	if f.frontAddress == "" {
		return netip.Addr{}, nil
	}
	a, err := netip.ParseAddr(f.frontAddress)
	if err != nil {
		return a, lab.Usagef("--front-address wants an address, such as 192.168.56.10, not %q", f.frontAddress)
	}
	return a, nil
}

// destination is where ssh is to go.
func (f *viaFlags) destination() (string, error) {
	rest, ok := strings.CutPrefix(f.clientVia, viaSSH)
	if !ok {
		return "", lab.Usagef("--client-via wants ssh:DESTINATION, such as ssh:client or ssh:vagrant@192.168.56.20, not %q", f.clientVia)
	}
	if strings.HasPrefix(rest, "//") { // a URI, which ssh takes whole
		return f.clientVia, nil
	}
	return rest, nil
}

// reach has the client of trials on another machine, if that was asked for, and
// the front where it can be called from there. All trials are alike in this.
// What it returns must be closed; it is nil if none was asked for.
func (a *app) reach(ctx context.Context, f *viaFlags, p *planFlags, trials ...*lab.Trial) (*load.Remote, error) {
	if f.clientVia == "" {
		return nil, nil //nolint:nilnil // there need not be one
	}
	to, err := f.destination()
	if err != nil {
		return nil, err
	}
	if p != nil && p.cpus != "" {
		return nil, lab.Usagef("--cpus binds a client on this machine: leave it or --client-via out")
	}
	for _, t := range trials {
		if err := mayBeElsewhere(t); err != nil {
			return nil, err
		}
	}
	as, err := behindSudo(a.getenv)
	if err != nil {
		return nil, err
	}
	r, err := load.Reach(ctx, to, as)
	if err != nil {
		return nil, err
	}
	front, err := f.frontFor(r, trials[0].Fleet.FrontAddress)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	for _, t := range trials {
		t.Place, t.Fleet.FrontAddress, t.Fleet.Client = r, front, r.Address
	}
	return r, nil
}

// mayBeElsewhere returns an error for a trial whose client cannot be on another
// machine.
func mayBeElsewhere(t *lab.Trial) error {
	switch {
	case t.Vantage != lab.External:
		return lab.Usagef("--client-via has the client on another machine, which is --vantage external, not %s", t.Vantage)
	case t.Plan.Clients > 1:
		return &lab.UnsupportedError{
			What: fmt.Sprintf("%d client addresses on another machine", t.Plan.Clients), Reason: "portlab gives it none, and it has the one by which it calls",
			Remedy: "leave --clients or --client-via out",
		}
	}
	return nil
}

// frontFor is the front's address for a client on another machine: the one that
// was asked for, or else the one by which that machine sees this one.
func (f *viaFlags) frontFor(r *load.Remote, asked netip.Addr) (netip.Addr, error) {
	home, err := lab.Home()
	if err != nil {
		return netip.Addr{}, err
	}
	own := slices.DeleteFunc(ownAddresses(), func(x netip.Addr) bool { return !x.Is4() || x.IsLoopback() })
	switch {
	case r.Home == home:
		return netip.Addr{}, lab.Usagef("--client-via %s is this machine itself: use --vantage host", f.clientVia)
	case asked.IsValid():
		return asked, nil
	case slices.Contains(own, r.Seen):
		return r.Seen, nil
	}
	var words []string
	for _, x := range own {
		words = append(words, x.String())
	}
	return netip.Addr{}, &lab.UnsupportedError{
		What:   "a front that " + f.clientVia + " can call",
		Reason: fmt.Sprintf("it sees this machine as %s, which is none of its IPv4 addresses: it calls by IPv6, or something in between translates addresses", r.Seen),
		Remedy: "say with --front-address which it can call: " + strings.Join(words, ", "),
	}
}

// install has this program on the other machine, if there is one, and says so.
func (a *app) install(ctx context.Context, r *load.Remote, quiet bool) error {
	if r == nil {
		return nil
	}
	copied, err := r.Install(ctx)
	if err != nil || quiet {
		return err
	}
	how := "it has this very portlab"
	if copied > 0 {
		how = fmt.Sprintf("portlab was copied there for the time of the run, %d MiB", (copied+1<<19)>>20)
	}
	fmt.Fprintf(a.stderr, "client: %s on %s; %s\n", r.Address, strings.TrimPrefix(r.Shell(), "ssh "), how)
	return nil
}

// prober is what asks a trial's front whether it answers; nil: its driver, which
// alone can ask from another machine.
func prober(t *lab.Trial) lab.Driver {
	if t.Place != nil {
		return nil
	}
	return load.Prober(t.Plan.Protocol)
}

// behindSudo is the user who typed a command under sudo(8), whose keys and
// settings ssh is to use; nil where there is no sudo.
func behindSudo(getenv func(string) string) (*syscall.Credential, error) {
	if getenv("SUDO_UID") == "" || os.Geteuid() != 0 {
		return nil, nil //nolint:nilnil // there need not be one
	}
	uid, err := strconv.ParseUint(getenv("SUDO_UID"), 10, 32)
	if err != nil {
		return nil, fmt.Errorf("read SUDO_UID: %w", err)
	}
	gid, err := strconv.ParseUint(getenv("SUDO_GID"), 10, 32)
	if err != nil {
		return nil, fmt.Errorf("read SUDO_GID: %w", err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// callFrom is how a kept run's front is called from other machines.
func callFrom(t *lab.Trial, front lab.Front) string {
	scheme := "http"
	for name, s := range schemes {
		if s.protocol == t.Plan.Protocol {
			scheme = name
		}
	}
	return fmt.Sprintf("portlab load %s://%s/", scheme, front.At(lab.External))
}
