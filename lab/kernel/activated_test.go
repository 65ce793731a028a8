package kernel

import (
	"testing"

	"github.com/portlab/portlab/lab"
)

// A program that is activated learns that its sockets are meant for it.
func TestSidecarIsActivated(t *testing.T) {
	s := newSidecars(t)
	told := `test "$LISTEN_PID" = $$ && test "$LISTEN_FDS" = 1 && printf "0\n" >&3 && exec sleep 60`
	c := lab.Sidecar{
		Name: "activated", Program: "sh", Args: []string{"-c", told}, Status: true, Activated: true,
		Sockets: []lab.Socket{{Address: addr}},
	}
	no(t, s.Start(t.Context(), c))
	stopped(t, s, c.Name)
	c.Activated = false
	if err := s.Start(t.Context(), c); err == nil {
		t.Error("one that is not activated was told of its sockets")
		stopped(t, s, c.Name)
	}
}
