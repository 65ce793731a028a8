package labtest

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// goroutinePatience is how long goroutines may take to end after a test.
const goroutinePatience = 5 * time.Second

// NoLeakedGoroutines fails t if, when it ends, goroutines run that did not run
// before. It is not for parallel tests.
func NoLeakedGoroutines(t testing.TB) { noLeakedGoroutines(t, goroutinePatience) }

func noLeakedGoroutines(t testing.TB, patience time.Duration) {
	before := goroutines()
	t.Cleanup(func() {
		deadline := time.Now().Add(patience)
		for {
			var left []string
			for id, stack := range goroutines() {
				if _, old := before[id]; !old {
					left = append(left, stack)
				}
			}
			if len(left) == 0 {
				return
			}
			if time.Now().After(deadline) {
				t.Errorf("%d goroutines are left:\n%s", len(left), strings.Join(left, "\n\n"))
				return
			}
			time.Sleep(time.Millisecond)
		}
	})
}

// goroutines gives the stack of each goroutine by its number.
func goroutines() map[string]string {
	text := make([]byte, 1<<20)
	text = text[:runtime.Stack(text, true)]
	all := map[string]string{}
	for stack := range strings.SplitSeq(string(text), "\n\n") {
		id, _, _ := strings.Cut(stack, " [") // "goroutine 7 [running]:"
		all[id] = stack
	}
	return all
}
