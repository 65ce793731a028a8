package lab_test

import (
	"testing"

	"github.com/portlab/portlab/lab"
)

// A proxy that knows of no replica yet may answer by itself, with what is an
// answer of plain TCP too.
func TestFrontAnswersOnceAReplicaDoes(t *testing.T) {
	r := newRig()
	probes, replies := 0, r.driver.reply
	r.driver.reply = func(p lab.Plan, i int) lab.Sample {
		if p.Requests != 1 {
			return replies(p, i)
		}
		probes++
		if probes <= 3 {
			return lab.Sample{}
		}
		return lab.Sample{Instance: "foo"}
	}
	if _, _, err := r.run(t); err != nil {
		t.Fatal(err)
	}
	if probes != 3+5 {
		t.Errorf("%d probes, want 3 that no replica answered and 5 that one did", probes)
	}
}
