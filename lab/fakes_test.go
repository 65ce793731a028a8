package lab_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/portlab/portlab/lab"
)

// errSaid is what a fake system says when it is told to fail.
var errSaid = errors.New("the system said no")

// scene is what the fakes of a test did, in order, and what they must fail at.
type scene struct {
	mu   sync.Mutex // changes are made while load is offered
	log  []string   // read once all is done
	fail map[string]error
}

func newScene() *scene { return &scene{fail: map[string]error{}} }

// act notes what is done and gives the failure that was asked for, if any.
func (s *scene) act(what string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, what)
	return s.fail[what]
}

// did fails t unless exactly this was done since the last call.
func (s *scene) did(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(s.log, want) {
		t.Errorf("did   %q,\nwanted %q", s.log, want)
	}
	s.log = nil
}

// step is a change that its scene remembers: "apply a", "revert a". A context
// that has ended fails both.
type step struct {
	*scene
	id, content string
}

func (s step) ID() string      { return s.id }
func (s step) Shell() []string { return []string{"do " + s.id} }
func (s step) Undo() []string  { return []string{"undo " + s.id} }

func (s step) Apply(ctx context.Context, _ lab.Host) error {
	return errors.Join(s.act("apply "+s.id+s.content), ctx.Err())
}

func (s step) Revert(ctx context.Context, _ lab.Host) error {
	return errors.Join(s.act("revert "+s.id+s.content), ctx.Err())
}

// replacer is a step that can become its successor.
type replacer struct{ step }

func (r replacer) Replace(_ context.Context, _ lab.Host, next lab.Step) error {
	return r.act("replace " + r.id + r.content + " by " + next.ID() + next.(replacer).content)
}

// noted is a step that must be journalled.
type noted struct{ step }

func (n noted) Note(context.Context, lab.Host) (lab.Note, error) {
	return lab.Note{Kind: "fake", Name: n.id, Before: "old", After: "new"}, n.act("note " + n.id)
}

// journal writes into its scene.
type journal struct{ *scene }

func (j journal) Write(n lab.Note) error {
	if n.Kind != "fake" || n.Before != "old" || n.After != "new" {
		return errors.New("the note is not what the step gave")
	}
	return j.act("journal " + n.Name)
}
