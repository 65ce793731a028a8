package servers_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/portlab/portlab/lab/labtest"
	"github.com/portlab/portlab/servers"
)

func TestPauseEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := servers.Pause(ctx); err != nil {
		t.Error(err)
	}
}

// TestPauseAsPID1 has Pause inherit a process, and end by SIGTERM, for which
// the kernel gives PID 1 no default action.
func TestPauseAsPID1(t *testing.T) {
	cmd, log := reexec(t, "orphan")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	err := cmd.Start()
	labtest.Require(t, "root", !errors.Is(err, syscall.EPERM), "no new PID namespace without CAP_SYS_ADMIN")
	if err != nil {
		t.Fatal(err)
	}
	log.await(t, "pausing")
	pid := cmd.Process.Pid
	await(t, "the orphan to be reaped", func() bool { return len(childrenOf(t, pid)) == 0 })
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v and logged %s", err, log)
	}
}

// childrenOf lists a process's children, dead ones that nobody waited for
// included (proc_pid_task(5)).
func childrenOf(t *testing.T, pid int) []string {
	t.Helper()
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, task := range tasks {
		list, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, task.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, strings.Fields(string(list))...)
	}
	return all
}
