package servers_test

import (
	"io"
	"strings"
	"syscall"
	"testing"
)

const anyPort = "PORT=0"

func TestSIGTERMBeforeReadyEndsWithStatus0(t *testing.T) {
	cmd, log := reexec(t, "slow-start", "INSTANCE=foo", "HOST=127.0.0.1", anyPort)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	log.await(t, "starting")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || strings.Contains(log.String(), "listening") {
		t.Errorf("it ended with %v and logged %s", err, log)
	}
}

func TestSIGTERMDrains(t *testing.T) {
	cmd, log := reexec(t, "serve", "INSTANCE=foo", "HOST=127.0.0.1", anyPort, "DRAIN_TIMEOUT=20s")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	resp := dial(t, logged(t, log)).ask(big)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	log.await(t, `draining for at most 20s: signal "terminated"`)
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v and logged %s", err, log)
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	cmd, log := reexec(t, "serve", "INSTANCE=foo", "HOST=127.0.0.1", anyPort, "DRAIN_TIMEOUT=5s")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	resp := dial(t, logged(t, log)).ask(big)
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		log.await(t, "draining")
	}
	if err := cmd.Wait(); err == nil {
		t.Error("it ended with status 0 although a request was under way")
	}
	if got := cmd.ProcessState.Sys().(syscall.WaitStatus); got.Signal() != syscall.SIGINT {
		t.Errorf("it ended with %v, not by the second signal", cmd.ProcessState)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err == nil {
		t.Error("the request was answered after all")
	}
}

// logged is the address that a child says it listens on.
func logged(t *testing.T, log *buffer) string {
	t.Helper()
	const before = "listening on "
	var address string
	await(t, "the address in the log", func() bool {
		_, after, _ := strings.Cut(log.String(), before)
		line, _, whole := strings.Cut(after, "\n")
		address, _, _ = strings.Cut(line, ",")
		return whole
	})
	return address
}
