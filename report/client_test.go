package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab"
)

func TestAClientOnAnotherMachineIsSaid(t *testing.T) {
	for _, c := range []struct {
		machine        *lab.Machine
		text, markdown bool
	}{
		{&lab.Machine{Kernel: "6.1.0", OS: "Debian", CPUs: 4}, true, true},
		{&lab.Machine{SharesKernel: true}, false, false},
		{nil, false, false},
	} {
		r, all := fixtures()[0].make()
		r.Client = lab.Client{Driver: "raw", Machine: c.machine}
		var text bytes.Buffer
		if err := Text(&text, r, false); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(text.String(), "on another machine"); got != c.text {
			t.Errorf("%v: the text says so: %v", c.machine, got)
		}
		if got := strings.Contains(string(markdown(t, r, all)), "Linux 6.1.0, Debian, 4 CPUs"); got != c.markdown {
			t.Errorf("%v: the report says so: %v", c.machine, got)
		}
	}
}
