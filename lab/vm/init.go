package vm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab/kernel"
)

// What the host puts into the guest's first file system, beside the image's.
const (
	guestDir     = "/portlab"
	guestBin     = guestDir + "/bin"
	guestBinary  = guestBin + "/portlab"
	guestOrders  = guestDir + "/boot.json"
	guestModules = guestDir + "/modules" // the image's: paths, in the order in which they are loaded
	guestFiles   = guestDir + "/files"   // each named by its number in the orders
)

// EnvImage is the environment variable that names, for all that runs in a
// machine, the machine's image.
const EnvImage = "PORTLAB_VM"

// EnvEmulated is the environment variable that is 1, for all that runs in a
// machine, where an emulator stands for its processor.
const EnvEmulated = "PORTLAB_EMULATED"

// envAgent gives the agent its orders, as JSON.
const envAgent = "PORTLAB_AGENT"

// orders are what the host wants of a machine, as JSON.
type orders struct {
	Name     string   `json:"name"`  // its host name
	Image    string   `json:"image"` // its image's
	Emulated bool     `json:"emulated"`
	Disk     bool     `json:"disk"`   // its system is on the first disk
	Engine   bool     `json:"engine"` // a Docker engine is to be started
	Env      []string `json:"env"`
	Cards    []card   `json:"cards"`
	Files    []string `json:"files"` // where each of guestFiles is to be
}

// card is a network card.
type card struct {
	Hardware string       `json:"hardware"`
	Address  netip.Prefix `json:"address"`
}

// environment is that of all that runs in the machine.
func (o orders) environment() []string {
	env := []string{
		"PATH=" + guestBin + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
		EnvImage + "=" + o.Image,
	}
	if o.Emulated {
		env = append(env, EnvEmulated+"=1")
	}
	return append(env, o.Env...)
}

// Guest does the work of this process, if it is process 1 of a machine, which
// sets the machine up and ends with it, or its agent, which does what the host
// says. A program calls it before all else.
func Guest(ctx context.Context) (is bool, status int) {
	if text := os.Getenv(envAgent); text != "" {
		return true, asAgent(ctx, text)
	}
	if os.Getpid() != 1 {
		return false, 0
	}
	if _, err := os.Stat(guestOrders); err != nil {
		return false, 0 // process 1 of a container, or of a world
	}
	o, err := readOrders(guestOrders)
	if err == nil {
		err = initialise(ctx, o)
	}
	// The console is what the host shows of a machine that fails.
	fmt.Fprintf(os.Stderr, "portlab: the machine ends: %v\n", err)
	unix.Sync()
	err = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	fmt.Fprintf(os.Stderr, "portlab: switch off the machine: %v\n", err)
	return true, 1
}

// InGuest says whether this process runs in a machine that portlab started, and
// the name of its image.
func InGuest() (image string, is bool) {
	image = os.Getenv(EnvImage)
	return image, image != ""
}

func asAgent(ctx context.Context, text string) int {
	var o orders
	err := errors.Join(json.Unmarshal([]byte(text), &o), os.Unsetenv(envAgent))
	if err == nil {
		err = runAgent(ctx, o)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "portlab: the agent: %v\n", err)
		return 1
	}
	return 0
}

// initialise makes a machine of a kernel that has just started, runs the agent,
// and returns when that has ended: with an error, if only to say so.
func initialise(ctx context.Context, o orders) error {
	// A process 1 in a container of this machine must not take these for its own.
	if err := os.Remove(guestOrders); err != nil {
		return err
	}
	if err := mountAll(early); err != nil {
		return err
	}
	loadModules()
	if o.Disk {
		if err := switchToDisk(); err != nil {
			return err
		}
	}
	if err := mountAll(usual); err != nil {
		return err
	}
	if err := placeFiles(o.Files); err != nil {
		return err
	}
	if err := setUpNetwork(ctx, o); err != nil {
		return err
	}
	limit := syscall.Rlimit{Cur: 1 << 16, Max: 1 << 20}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("allow many open files: %w", err)
	}
	return superviseAgent(o)
}

func setUpNetwork(ctx context.Context, o orders) error {
	if err := unix.Sethostname([]byte(o.Name)); err != nil {
		return fmt.Errorf("set the host name: %w", err)
	}
	own, err := kernel.Own()
	if err != nil {
		return err
	}
	defer own.Close()
	if err := kernel.BringUpLoopback(ctx, own); err != nil {
		return err
	}
	for _, c := range o.Cards {
		hw, err := net.ParseMAC(c.Hardware)
		if err != nil {
			return err
		}
		if err := kernel.BringUpWired(ctx, hw, kernel.End{In: own, Address: c.Address}); err != nil {
			return err
		}
	}
	return nil
}

// superviseAgent starts the agent, and takes in the status of every process
// that has ended and whose parent is gone, as only process 1 can.
func superviseAgent(o orders) error {
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	p, err := os.StartProcess(guestBinary, []string{"portlab", "agent"}, &os.ProcAttr{
		Env: []string{envAgent + "=" + string(text)}, Files: []*os.File{nil, os.Stdout, os.Stderr},
	})
	if err != nil {
		return err
	}
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return err
		case pid == p.Pid:
			return fmt.Errorf("its agent has ended, with status %#x (waitpid(2))", status)
		}
	}
}

// How long the kernel may take to find a device, and how often it is looked for.
const (
	deviceTime  = 30 * time.Second
	devicePause = 20 * time.Millisecond
)
