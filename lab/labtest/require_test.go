package labtest

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

// ending is a testing.TB that says how a test ended; it must run in a
// goroutine of its own, which both endings leave.
type ending struct {
	testing.TB
	how string
}

func (e *ending) Helper() {}

func (e *ending) Fatalf(format string, args ...any) {
	e.how = "failed: " + fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (e *ending) Skipf(format string, args ...any) {
	e.how = "skipped: " + fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func TestRequire(t *testing.T) {
	for _, c := range []struct {
		required string
		ok       bool
		want     string
	}{
		{"", true, ""},
		{"docker", true, ""},
		{"", false, "skipped: no docker: no engine"},
		{"root,nginx", false, "skipped: no docker: no engine"},
		{"root,docker", false, "failed: docker is required (PORTLAB_REQUIRE) and missing: no engine"},
	} {
		t.Setenv("PORTLAB_REQUIRE", c.required)
		e := &ending{TB: t}
		done := make(chan struct{})
		go func() {
			defer close(done)
			Require(e, "docker", c.ok, "no engine")
		}()
		<-done
		if e.how != c.want {
			t.Errorf("PORTLAB_REQUIRE=%q, there: %v: %q, want %q", c.required, c.ok, e.how, c.want)
		}
	}
}

// cleanups is a testing.TB whose clean-up can be run at will.
type cleanups struct {
	recorder
	all []func()
}

func (c *cleanups) Cleanup(f func()) { c.all = append(c.all, f) }

func TestNoLeakedGoroutines(t *testing.T) {
	NoLeakedGoroutines(t)
	for leaked, want := range map[bool]int{true: 1, false: 0} {
		c := &cleanups{recorder: recorder{TB: t}}
		noLeakedGoroutines(c, time.Millisecond)
		end := make(chan struct{})
		if leaked {
			go func() { <-end }()
		}
		c.all[0]()
		close(end)
		if len(c.failures) != want {
			t.Errorf("a goroutine is left: %v: %d failures, want %d", leaked, len(c.failures), want)
		}
	}
}
