package load

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// hear gives the next thing that the script says: a word and what follows it.
// What others write in between is not meant.
func (r *Remote) hear() (word, rest string, err error) {
	for {
		line, err := r.says.ReadString('\n')
		if err != nil {
			return "", "", err
		}
		if said, ours := strings.CutPrefix(line, "portlab: "); ours {
			word, rest, _ = strings.Cut(strings.TrimSpace(said), " ")
			return word, rest, nil
		}
	}
}

// meet hears what the machine says of itself.
func (r *Remote) meet() error {
	for {
		word, rest, err := r.hear()
		if err != nil {
			return err
		}
		m := &r.Machine
		switch word {
		case "address":
			r.Seen, r.Address = endsOf(rest)
		case "system":
			r.system = rest
		case "kernel":
			m.Kernel = rest
		case "os":
			m.OS = strings.Trim(rest, `"`)
		case "cpu":
			m.CPU = rest
		case "cpus":
			m.CPUs, _ = strconv.Atoi(rest) // what cannot be read is not known
		case "home":
			r.Home = rest
		case "known":
			return nil
		}
	}
}

// endsOf reads the addresses of SSH_CONNECTION (ssh(1)): the client's and
// its port, the server's and its port. Invalid is what cannot be read.
func endsOf(text string) (client, server netip.Addr) {
	words := strings.Fields(text)
	if len(words) != 4 {
		return netip.Addr{}, netip.Addr{}
	}
	client, _ = netip.ParseAddr(words[0])
	server, _ = netip.ParseAddr(words[2])
	return client.Unmap(), server.Unmap()
}

// fits returns a [lab.UnsupportedError] for a machine that cannot run this
// program, and finds out whether it shares this one's kernel.
func (r *Remote) fits() error {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return fmt.Errorf("tell what machine this is: %w", err)
	}
	own := unix.ByteSliceToString(name.Sysname[:]) + " " + unix.ByteSliceToString(name.Machine[:])
	if !r.Address.IsValid() || !r.Seen.IsValid() {
		return &lab.UnsupportedError{
			What: "a client on " + r.destination, Reason: "its ssh server does not say who called whom (SSH_CONNECTION)",
			Remedy: "OpenSSH's does",
		}
	}
	if r.system != own {
		return &lab.UnsupportedError{
			What:   "a client on " + r.destination,
			Reason: fmt.Sprintf("it is %s, and this program is for %s", r.system, own),
			Remedy: "offer the load from there, by a portlab built for it: portlab load, to a run that is kept here with --keep and --front-address",
		}
	}
	home, err := lab.Home()
	if err != nil {
		return err
	}
	boot, _, _ := strings.Cut(home, "-")
	r.Machine.SharesKernel = strings.HasPrefix(r.Home, boot+"-")
	return nil
}

// sshFailed is ssh's exit status where it is not that of the command (ssh(1)).
const sshFailed = 255

// unreached says why a machine could not be reached.
func (r *Remote) unreached(ctx context.Context, err error) error {
	ended := r.held.wait()
	r.held = nil
	if ctx.Err() != nil {
		return ctx.Err()
	}
	what, said := "a client on "+r.destination, r.said(ended, err)
	if exit, ok := errors.AsType[*exec.ExitError](ended); ok && exit.ExitCode() == sshFailed {
		return &lab.UnsupportedError{
			What: what, Reason: "ssh does not get there: " + said,
			Remedy: "it must without a question: try ssh -o BatchMode=yes " + lab.ShellWord(r.destination) + " true",
		}
	}
	return &lab.UnsupportedError{What: what, Reason: "it does not say what it is: " + said, Remedy: "it must be Linux, with a shell"}
}

// uninstalled says why this program could not be had there.
func (r *Remote) uninstalled(ctx context.Context, err error) error {
	ended := r.held.wait()
	r.held = nil
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &lab.UnsupportedError{
		What: "portlab on " + r.destination, Reason: "it can neither be copied there nor run: " + r.said(ended, err),
		Remedy: "its folder for temporary files, TMPDIR or /tmp, needs room and must not be mounted noexec; or put this very file on its PATH",
	}
}

// said is what ssh and the commands there complained of; else how they ended.
func (r *Remote) said(ended, err error) string {
	text := ""
	if ended != nil {
		text = ended.Error()
	}
	if _, after, ok := strings.Cut(text, "it said: "); ok {
		text = after
	}
	if text == "" {
		text = err.Error()
	}
	return strings.Join(strings.Fields(text), " ")
}
