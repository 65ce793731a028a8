package vm

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"unicode"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab/kernel"
)

// process is a running QEMU. It ends with this process, however that ends.
type process struct {
	cmd     *exec.Cmd
	console kernel.Tail   // what the guest's kernel and its process 1 wrote
	said    kernel.Tail   // what QEMU wrote
	done    chan struct{} // closed when it has ended; cmd.ProcessState says how
}

// startQEMU starts QEMU, with files to inherit from descriptor 3 on. The
// console goes to a writer as well, if there is one.
func startQEMU(path string, args []string, files []*os.File, console io.Writer) (*process, error) {
	p := &process{done: make(chan struct{})}
	p.cmd = exec.Command(path, args...) //nolint:noctx // it outlives the context of its start
	p.cmd.ExtraFiles = files
	p.cmd.Stdout, p.cmd.Stderr = &p.console, &p.said
	if console != nil {
		p.cmd.Stdout = io.MultiWriter(&p.console, console)
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{
		Pdeathsig: unix.SIGKILL,
		Setpgid:   true, // a terminal's Ctrl-C is this process's affair
	}
	started := make(chan error)
	go func() {
		// The kernel sends Pdeathsig when the thread ends that started the process,
		// prctl(2): this one stays until then.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // its state says how it ended
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start QEMU: %w", err)
	}
	return p, nil
}

// kill ends QEMU at once. The machine is thrown away, so it is not shut down.
func (p *process) kill() {
	select {
	case <-p.done: // its number may be another's by now
	default:
		_ = unix.Kill(-p.cmd.Process.Pid, unix.SIGKILL)
		<-p.done
	}
}

// testimony is what QEMU and the guest's console said last, for an error.
func (p *process) testimony() string {
	var b strings.Builder
	for _, s := range []struct{ who, what string }{
		{"QEMU said", p.said.String()}, {"the machine's console ended with", p.console.String()},
	} {
		if s.what != "" {
			fmt.Fprintf(&b, "\n%s:\n%s", s.who, printable(s.what))
		}
	}
	return b.String()
}

// printable leaves out what would confuse a terminal: a guest may write anything.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, text)
}
