package docker_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
)

// On an engine, tasks of a service take turns behind the front, come and go by
// the number of them, and nothing stays of the service and of the swarm.
func TestReplicasAreTasksOfAService(t *testing.T) {
	h, err := runtime(t).Host(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.VirtualServers()
	labtest.Require(t, "swarm", err == nil, errText(err))
	f := mustOpen(t, lab.FleetSpec{Replicas: 2, Placement: lab.OwnNetns, Publish: lab.PublishIngress})
	if got := answers(t, f, 20); got["foo"] != 10 || got["bar"] != 10 {
		t.Errorf("two tasks in turn answered %v", got)
	}
	for _, r := range f.Blueprint().Replicas {
		if got := get(t, "http://"+r.Address.String()); got != "Hello from "+r.Instance+"\n" {
			t.Errorf("%s at its own address answers %q", r.Instance, got)
		}
	}
	added, err := f.(lab.Scaler).Add(t.Context(), 1)
	if err != nil || len(added) != 1 || added[0].Instance != "baz" {
		t.Fatalf("added %v, %v", added, err)
	}
	if got := answers(t, f, 30); got["baz"] != 10 {
		t.Errorf("three tasks in turn answered %v", got)
	}
	if err := f.(lab.Scaler).Remove(t.Context(), "baz"); err != nil {
		t.Fatal(err)
	}
	left := f.Blueprint().Replicas
	got := answers(t, f, 20)
	if len(left) != 2 || len(got) != 2 || slices.ContainsFunc(left, func(r lab.Replica) bool { return got[r.Instance] != 10 }) {
		t.Errorf("of %v, %v answered", left, got)
	}
}

// answers counts who answers at the front.
func answers(t *testing.T, f lab.Fleet, n int) map[string]int {
	t.Helper()
	got := map[string]int{}
	for range n {
		text := get(t, "http://"+f.Blueprint().Front.At(lab.Localhost).String())
		got[text[len("Hello from "):len(text)-1]]++
	}
	return got
}

// A second task has no room at a port of the one node.
func TestSecondTaskOnANodeIsRefused(t *testing.T) {
	h, err := runtime(t).Host(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.VirtualServers()
	labtest.Require(t, "swarm", err == nil, errText(err))
	_, err = open(t, lab.FleetSpec{Replicas: 2, Placement: lab.OwnNetns, Publish: lab.PublishTasks})
	if _, refused := errors.AsType[*lab.RefusedError](err); !refused {
		t.Fatalf("got %v, want a RefusedError", err)
	}
}
