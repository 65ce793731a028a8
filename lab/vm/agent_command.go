package vm

import (
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// run runs one command, and sends its output and how it ended.
func (a *agent) run(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if len(q["arg"]) == 0 {
		http.Error(w, "no command", http.StatusBadRequest)
		return
	}
	c := exec.CommandContext(r.Context(), q["arg"][0], q["arg"][1:]...)
	c.Env, c.Dir = append(os.Environ(), q["env"]...), q.Get("dir")
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = time.Second // a child of it may keep the output open
	out := &recording{w: w, flush: http.NewResponseController(w).Flush}
	c.Stdout, c.Stderr = stream{out, toStdout}, stream{out, toStderr}
	stdin, err := c.StdinPipe()
	if err == nil {
		err = a.start(c, q.Get("id"))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	go func() { // the command may end before its input does
		_, _ = io.Copy(stdin, r.Body)
		_ = stdin.Close()
	}()
	err = out.begin()
	status := exitStatus(c.Wait())
	a.forget(q.Get("id"))
	if err = errors.Join(err, out.end(status)); err != nil {
		panic(http.ErrAbortHandler) // the host has gone away, or has not got all
	}
}

// start starts a command so that it can be sent signals by its id.
func (a *agent) start(c *exec.Cmd, id string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := c.Start(); err != nil {
		return err
	}
	a.running[id] = c.Process.Pid
	return nil
}

func (a *agent) forget(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.running, id)
}

// unknownStatus is the exit status of a command of which it is not known.
const unknownStatus = 126

// exitStatus is that of a command as a shell gives it: 128 and the number of
// the signal that ended it.
func exitStatus(err error) int {
	exit, ok := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return 0
	case !ok:
		return unknownStatus
	}
	if s, ok := exit.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		return 128 + int(s.Signal())
	}
	return exit.ExitCode()
}
