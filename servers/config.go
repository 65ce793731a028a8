package servers

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/portlab/portlab/servers/wire"
)

// DefaultDrainTimeout is how long a server that is told to end waits for the
// requests that are under way, unless told otherwise.
const DefaultDrainTimeout = 10 * time.Second

// ErrConfig is what errors.Is finds in every mistake in a configuration:
// nothing was started, and what was asked for must be changed.
var ErrConfig = errors.New("bad configuration")

// Config says what an http_server is.
type Config struct {
	Instance string // the name that its answers carry; see [wire.CheckInstance]
	// Protocol is what it speaks beside HTTP; empty: nothing.
	Protocol Protocol
	// Inherit is how many sockets the process was started with, from file
	// descriptor 3 on: listening ones of TCP and, where Protocol is UDP, at least
	// one of UDP. If it is more than 0, the server takes these, once in the life
	// of the process, and Hosts, Port and ReusePort do not matter.
	Inherit uint16
	Hosts   []netip.Addr // the addresses to listen on, each once; [::] means IPv6 alone
	// Port is the TCP port, and the UDP port, the same on all addresses; 0: one
	// that the kernel picks, and [Server.Addresses] tells.
	Port         uint16
	ReusePort    bool          // set SO_REUSEPORT, socket(7), so that others may listen there too
	DrainTimeout time.Duration // how long to wait for requests under way at the end; 0: not at all
}

// ConfigFromEnv reads a configuration from environment variables, where an
// empty one counts as not set:
//
//	INSTANCE       instance name; default: the host's name
//	PROTOCOL       what it speaks beside HTTP: tcp, udp; default http, for nothing
//	HOST           comma-separated IP addresses to listen on; default 0.0.0.0
//	PORT           TCP port, and UDP port; default 8080
//	REUSEPORT      1 sets SO_REUSEPORT; default 0
//	DRAIN_TIMEOUT  duration such as 500ms; default 10s
//	LISTEN_FDS     sockets to take, from file descriptor 3 on: listening ones of
//	               TCP, and with PROTOCOL=udp at least one of UDP
//	LISTEN_PID     process that is to take them; default: whichever reads this
//
// The last two are those of socket activation, sd_listen_fds(3). Where sockets
// are taken, HOST, PORT and REUSEPORT do not matter, and are not even read: a
// socket says itself where it listens. Sockets for another process are not
// taken. LISTEN_FDNAMES is ignored. sd_listen_fds(3) takes none where
// LISTEN_PID is not set; here that is allowed, because most parents cannot
// know a child's id before the child has its environment.
//
// The error names the variable and wraps [ErrConfig].
func ConfigFromEnv(getenv func(string) string) (Config, error) {
	var c Config
	var errs [5]error
	c.Instance, errs[0] = instance(getenv("INSTANCE"))
	c.DrainTimeout, errs[1] = drainTimeout(or(getenv("DRAIN_TIMEOUT"), DefaultDrainTimeout.String()))
	c.Inherit, errs[2] = inherited(getenv("LISTEN_FDS"), getenv("LISTEN_PID"), os.Getpid())
	c.Protocol, errs[3] = protocol(or(getenv("PROTOCOL"), string(HTTP)))
	if c.Inherit == 0 {
		errs[4] = c.readSockets(getenv)
	}
	if err := errors.Join(errs[:]...); err != nil {
		return Config{}, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return c, nil
}

// readSockets reads what sockets the server is to make.
func (c *Config) readSockets(getenv func(string) string) error {
	var errs [3]error
	c.Hosts, errs[0] = hosts(or(getenv("HOST"), "0.0.0.0"))
	c.Port, errs[1] = port(or(getenv("PORT"), "8080"))
	c.ReusePort, errs[2] = strconv.ParseBool(or(getenv("REUSEPORT"), "0"))
	if errs[2] != nil {
		errs[2] = fmt.Errorf("REUSEPORT must be 1 or 0, not %q", getenv("REUSEPORT"))
	}
	return errors.Join(errs[:]...)
}

// check says what is wrong with a configuration that was not read by
// [ConfigFromEnv].
func (c Config) check() error {
	if err := wire.CheckInstance(c.Instance); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if len(c.Hosts) == 0 && c.Inherit == 0 {
		return fmt.Errorf("%w: no address to listen on", ErrConfig)
	}
	if _, err := protocol(or(string(c.Protocol), string(HTTP))); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return nil
}

// open gives the sockets of the server: inherited, or opened now.
func (c Config) open(ctx context.Context) (*opened, error) {
	if c.Inherit > 0 {
		return inherit(c.Inherit, c.Protocol == UDP)
	}
	return listen(ctx, c.addresses(), c.ReusePort, c.Protocol == UDP)
}

// addresses are where the server is to listen.
func (c Config) addresses() []netip.AddrPort {
	all := make([]netip.AddrPort, len(c.Hosts))
	for i, h := range c.Hosts {
		all[i] = netip.AddrPortFrom(h, c.Port)
	}
	return all
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

func instance(name string) (string, error) {
	if name == "" {
		var err error
		if name, err = os.Hostname(); err != nil {
			return "", fmt.Errorf("INSTANCE is not set, and the host has no name: %w", err)
		}
	}
	if err := wire.CheckInstance(name); err != nil {
		return "", fmt.Errorf("INSTANCE: %w", err)
	}
	return name, nil
}

func hosts(list string) ([]netip.Addr, error) {
	var all []netip.Addr
	for word := range strings.SplitSeq(list, ",") {
		word = strings.TrimSpace(word)
		a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(word, "["), "]"))
		if err != nil {
			return nil, fmt.Errorf("HOST: %q is no IP address; give addresses such as 0.0.0.0 or 127.0.0.1,::1", word)
		}
		if a = a.Unmap(); slices.Contains(all, a) {
			return nil, fmt.Errorf("HOST names %s twice", a)
		}
		all = append(all, a)
	}
	return all, nil
}

func port(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("PORT must be a number from 0 to 65535, not %q", s)
	}
	return uint16(n), nil
}

func drainTimeout(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("DRAIN_TIMEOUT must be a duration such as 10s or 500ms, not %q", s)
	}
	return d, nil
}
