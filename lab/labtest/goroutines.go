package labtest

import (
	"runtime"
	"testing"
	"time"
)

// goroutinePatience is how long goroutines may take to end after a test.
const goroutinePatience = 5 * time.Second

// NoLeakedGoroutines fails t if, when it ends, more goroutines run than now.
// It is not for parallel tests.
func NoLeakedGoroutines(t testing.TB) {
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		deadline := time.Now().Add(goroutinePatience)
		for runtime.NumGoroutine() > before {
			if time.Now().After(deadline) {
				stacks := make([]byte, 1<<20)
				t.Errorf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
				return
			}
			time.Sleep(time.Millisecond)
		}
	})
}
