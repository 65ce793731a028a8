package load

import (
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
)

// A client that slept between connect(2) and send(2) does not say that a
// connection stood before it did.
func TestAConnectionStoodNotBeforeItCouldHave(t *testing.T) {
	const before = 50 * time.Microsecond
	for after, want := range map[time.Duration]time.Duration{
		before + 20*time.Microsecond: before,
		before + lab.LateAfter:       before,
		before + lab.LateAfter + 1:   before + lab.LateAfter + 1,
		before + 45*time.Millisecond: before + 45*time.Millisecond,
	} {
		if got := stoodAt(before, after); got != want {
			t.Errorf("sent between %s and %s: it stood at %s, want %s", before, after, got, want)
		}
	}
}
