package docker

import (
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"
)

// fakeService is an engine on which one task of a service is on its way up: at
// each look it is in the next state, and when it has started it has a container.
type fakeService struct {
	client.APIClient
	states     []swarm.TaskState
	removed    bool
	containers map[string]bool
}

func (s *fakeService) ServiceRemove(context.Context, string, client.ServiceRemoveOptions) (r client.ServiceRemoveResult, _ error) {
	s.removed = true
	return r, nil
}

func (s *fakeService) TaskList(context.Context, client.TaskListOptions) (r client.TaskListResult, _ error) {
	state := s.states[0]
	if len(s.states) > 1 {
		s.states = s.states[1:]
	}
	if state == swarm.TaskStateStarting {
		s.containers["late-container"] = true
	}
	t := task(1, state, swarm.TaskStateRemove, "")
	t.ServiceID = "service"
	r.Items = []swarm.Task{t}
	return r, nil
}

func (s *fakeService) ContainerList(context.Context, client.ContainerListOptions) (r client.ContainerListResult, _ error) {
	for id := range s.containers {
		r.Items = append(r.Items, container.Summary{ID: id, Names: []string{"/" + id}})
	}
	return r, nil
}

func (s *fakeService) ContainerRemove(_ context.Context, id string, _ client.ContainerRemoveOptions) (r client.ContainerRemoveResult, _ error) {
	delete(s.containers, id)
	return r, nil
}

// A removed service leaves no container, not even of a task that was starting,
// though Swarm still lists the task when it has ended.
func TestRemovedServiceLeavesNoContainer(t *testing.T) {
	s := &fakeService{
		states:     []swarm.TaskState{swarm.TaskStatePreparing, swarm.TaskStateStarting, swarm.TaskStateShutdown},
		containers: map[string]bool{"early-container": true},
	}
	if err := (&engine{api: s}).removeService(t.Context(), mine, "service"); err != nil {
		t.Fatal(err)
	}
	if len(s.states) != 1 {
		t.Errorf("it did not wait for a task that was %s", s.states[0])
	}
	if left := slices.Collect(maps.Keys(s.containers)); !s.removed || len(left) != 0 {
		t.Errorf("removed: %v, left: %q", s.removed, left)
	}
}
