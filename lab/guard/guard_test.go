package guard

import (
	"errors"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
)

func journalOf(t *testing.T, run lab.RunID) string {
	t.Helper()
	dir, err := lab.RuntimeDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, string(run)+journalSuffix)
}

func TestGuardSweepsARunThatIsKilled(t *testing.T) {
	w, run := world(t.TempDir()), lab.NewRunID()
	p := startRun(t, w, run)
	if !Alive(run) {
		t.Error("the run is up, and not known to be alive")
	}
	if _, ok := Claim("test-" + string(run)); ok {
		t.Error("what the run has claimed was claimed again")
	}
	if left, err := w.sweeper().Sweep(t.Context()); err != nil || len(left) != 0 {
		t.Errorf("a live run was swept: %v, %v", left, err)
	}
	guard, err := strconv.Atoi(p.guard)
	if err != nil {
		t.Fatal(err)
	}
	for _, sig := range []unix.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP} {
		if err := unix.Kill(guard, sig); err != nil { // it must not care
			t.Fatal(err)
		}
	}
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.Wait() // "signal: killed", as meant
	eventually(t, "the guard has swept and ended", func() bool { return !Alive(run) })
	if !missing(w.path(string(run) + ".trace")) {
		t.Error("the trace is left")
	}
	if value, _ := w.Get("knob"); value != "0" {
		t.Errorf("the sysctl is left at %q", value)
	}
	if !missing(journalOf(t, run)) {
		t.Error("the journal is left")
	}
	h, ok := Claim("test-" + string(run))
	if !ok {
		t.Fatal("the claim outlives the run and its guard")
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
}

func TestGuardOfARunThatEndsWellSweepsNothing(t *testing.T) {
	w, run := world(t.TempDir()), lab.NewRunID()
	p := startRun(t, w, run)
	if err := p.finish.Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	if Alive(run) {
		t.Error("the run has ended and is alive")
	}
	if !missing("/proc/" + p.guard) {
		t.Error("the guard outlives the run")
	}
	if missing(w.path(string(run) + ".trace")) {
		t.Error("the guard swept although the run had ended well")
	}
	if !missing(journalOf(t, run)) {
		t.Error("the journal is left")
	}
}

func TestDeadRunWithoutAGuardIsSweptByTheNext(t *testing.T) {
	w, run := world(t.TempDir()), lab.NewRunID()
	p := startRun(t, w, run)
	guard, err := strconv.Atoi(p.guard)
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range []int{guard, p.Process.Pid} {
		if err := unix.Kill(pid, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	_ = p.Wait() // "signal: killed", as meant
	eventually(t, "both are dead", func() bool { return !Alive(run) })
	found, err := w.sweeper().Dead(t.Context())
	if err != nil || len(found) != 2 { // the file and the journal
		t.Fatalf("found %v, %v", found, err)
	}
	if missing(w.path(string(run) + ".trace")) {
		t.Fatal("looking took it away")
	}
	removed, err := w.sweeper().Sweep(t.Context())
	if err != nil || len(removed) != 2 {
		t.Fatalf("removed %v, %v", removed, err)
	}
	if value, _ := w.Get("knob"); value != "0" || !missing(journalOf(t, run)) {
		t.Errorf("the sysctl is left at %q, or the journal is left", value)
	}
}

func TestStartAndCloseLeaveNothing(t *testing.T) {
	labtest.NoLeakedGoroutines(t)
	run := lab.NewRunID()
	t.Setenv(envWorld, t.TempDir())
	g, err := Start(t.Context(), run, "guard")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), run, "guard"); err == nil {
		t.Error("one run has two guards")
	}
	for range 2 {
		if err := g.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if Alive(run) {
		t.Error("the run has ended and is alive")
	}
}

func TestStartRefusesInsideAGuard(t *testing.T) {
	t.Setenv(envGuard, "abcdef")
	if _, err := Start(t.Context(), lab.NewRunID(), "guard"); err == nil {
		t.Error("a guard started a guard")
	}
}

func TestClaimIsExclusiveAndReleased(t *testing.T) {
	run := lab.NewRunID()
	t.Setenv(envWorld, t.TempDir())
	name := "test-" + string(run)
	first, ok := Claim(name)
	if !ok {
		t.Fatal("a fresh name is taken")
	}
	g, err := Start(t.Context(), run, "guard") // it holds the claim from now on, too
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close(t.Context())
	if _, ok := Claim(name); ok {
		t.Error("claimed twice")
	}
	for range 2 {
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var second *Hold
	eventually(t, "the guard has let go of it", func() bool {
		second, ok = Claim(name)
		return ok
	})
	if err := second.Close(); err != nil {
		t.Error(err)
	}
}

func BenchmarkSweepOfNothing(b *testing.B) {
	s := world(b.TempDir()).sweeper()
	for b.Loop() {
		if _, err := s.Sweep(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStartAndClose(b *testing.B) {
	b.Setenv(envWorld, b.TempDir())
	for b.Loop() {
		g, err := Start(b.Context(), lab.NewRunID(), "guard")
		if err != nil {
			b.Fatal(err)
		}
		if err := g.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// A run that could not clean up is swept by its guard while the run's process
// still lives.
func TestHandedOverRunIsSwept(t *testing.T) {
	w := world(t.TempDir())
	t.Setenv(envWorld, string(w))
	run := lab.NewRunID()
	g, err := Start(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.leave(run); err != nil {
		t.Fatal(err)
	}
	if err := g.HandOver(t.Context()); err != nil {
		t.Fatal(err)
	}
	left, errs := w.sweeper().traces(t.Context(), func(id lab.RunID) bool { return id == run })
	if err := errors.Join(errs...); err != nil || len(left) != 0 {
		t.Errorf("%d traces are left, %v", len(left), err)
	}
	if Alive(run) {
		t.Error("the run counts as alive")
	}
}
