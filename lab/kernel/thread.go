package kernel

import (
	"errors"
	"runtime"

	"golang.org/x/sys/unix"
)

// errGoexit: f left by runtime.Goexit, as testing's FailNow does.
var errGoexit = errors.New("the function ended its goroutine instead of returning")

// aside runs f on a goroutine of its own that is locked to a thread, and never
// on the main thread: /proc/self is the main thread, so its namespaces must
// stay the process's own. The thread goes back to the scheduler if f says that
// it is as it was, and ends with the goroutine if not.
func aside(f func() (restored bool, err error)) error {
	done := make(chan error, 1)
	go func() {
		err := errGoexit
		defer func() { done <- err }()
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			// The main thread stays locked to this goroutine meanwhile, so the
			// next goroutine gets another one.
			err = aside(f)
			runtime.UnlockOSThread()
			return
		}
		var restored bool
		if restored, err = f(); restored {
			runtime.UnlockOSThread()
		}
	}()
	return <-done
}
