package docker_test

import (
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
)

// What containers use grows with what they are asked; a killed one does not
// answer, stays in the blueprint and keeps what it had used.
func TestContainersSayWhatTheyUseAndDie(t *testing.T) {
	f := mustOpen(t, lab.FleetSpec{Replicas: 2, Placement: lab.OwnNetns})
	replicas := f.Blueprint().Replicas
	read := func() lab.Usage {
		t.Helper()
		u, err := f.(lab.Metered).Usage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	before := read()
	for range 50 {
		get(t, "http://"+replicas[0].Address.String())
	}
	after := read()
	if before.Replicas.MemoryBytes == 0 || after.Replicas.CPU <= before.Replicas.CPU {
		t.Errorf("50 requests took %+v to %+v", before.Replicas, after.Replicas)
	}
	http.DefaultClient.CloseIdleConnections()
	for range 2 { // killing the dead changes nothing
		if err := f.(lab.Killer).Kill(t.Context(), replicas[0].Instance); err != nil {
			t.Fatal(err)
		}
	}
	if c, err := net.DialTimeout("tcp", replicas[0].Address.String(), 500*time.Millisecond); err == nil {
		_ = c.Close()
		t.Error("the killed replica takes connections")
	}
	get(t, "http://"+replicas[1].Address.String())
	if n := len(f.Blueprint().Replicas); n != 2 {
		t.Errorf("the blueprint has %d replicas: it was told of the death", n)
	}
	if dead := read(); dead.Replicas.CPU < after.Replicas.CPU || dead.Replicas.MemoryBytes >= after.Replicas.MemoryBytes {
		t.Errorf("a replica's death took %+v to %+v", after.Replicas, dead.Replicas)
	}
	if err := f.(lab.Scaler).Remove(t.Context(), replicas[0].Instance); err != nil {
		t.Errorf("take the killed replica away: %v", err)
	}
}
