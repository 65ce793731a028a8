package kernel

import (
	"context"
	"os/exec"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portlab/portlab/lab"
)

// stand starts a process that stands at a place of a run.
func stand(t *testing.T, at lab.Place, run lab.RunID, place string) *Process {
	t.Helper()
	path, err := exec.LookPath("sleep")
	no(t, err)
	p, err := Start(t.Context(), at, Command{Run: run, Path: path, Args: []string{"60"}, Env: []string{EnvPlace + "=" + place}})
	no(t, err)
	t.Cleanup(func() { no(t, p.Stop(context.WithoutCancel(t.Context()))) })
	return p
}

func standingsOf(t *testing.T, runs ...lab.RunID) []Standing {
	t.Helper()
	all, err := Standings()
	no(t, err)
	return slices.DeleteFunc(all, func(s Standing) bool { return !slices.Contains(runs, s.Run) })
}

func TestStandingsAreThePlacesOfEachRun(t *testing.T) {
	own, err := Own()
	no(t, err)
	defer own.Close()
	one, two := lab.RunID("aaaaaa"), lab.RunID("bbbbbb")
	at := func(run lab.RunID, place string) Standing {
		return Standing{Run: run, Place: place, PID: stand(t, own, run, place).PID()}
	}
	replicas := []Standing{at(one, "foo"), at(one, "bar")}
	if replicas[0].PID > replicas[1].PID { // numbers start again at some time
		slices.Reverse(replicas)
	}
	want := []Standing{at(one, HostPlace), replicas[0], replicas[1], at(two, ClientPlace)}
	stand(t, own, one, "") // it stands nowhere
	if diff := cmp.Diff(want, standingsOf(t, one, two)); diff != "" {
		t.Error(diff)
	}
	stand(t, own, one, HostPlace)
	if all := standingsOf(t, one, two); len(all) != len(want) {
		t.Errorf("a second process at a place makes %v", all)
	}
	for _, s := range want {
		apart, err := s.Apart()
		no(t, err)
		if len(apart) > 0 {
			t.Errorf("%s is in the same namespaces, and %v are said to differ", s.Place, apart)
		}
	}
}

func TestApartNamesTheNamespacesThatDiffer(t *testing.T) {
	run := lab.NewRunID()
	stand(t, newNamespace(t), run, ClientPlace)
	all := standingsOf(t, run)
	if len(all) != 1 {
		t.Fatalf("%v stand at places of the run, want one", all)
	}
	apart, err := all[0].Apart()
	no(t, err)
	if diff := cmp.Diff([]string{"net"}, apart); diff != "" {
		t.Error(diff)
	}
}

func TestStandingsLeaveOutOtherUsers(t *testing.T) {
	requireRoot(t)
	path, err := exec.LookPath("setpriv")
	if err != nil {
		t.Skip("no setpriv to become another user with")
	}
	own, err := Own()
	no(t, err)
	defer own.Close()
	run := lab.NewRunID()
	args := []string{"--reuid", "65534", "--regid", "65534", "--clear-groups", "sh", "-c", "echo ready; exec sleep 60"}
	said := make(chan string, 1)
	p, err := Start(t.Context(), own, Command{
		Run: run, Path: path, Args: args, Env: []string{EnvPlace + "=" + ClientPlace},
		Log: writerFunc(func(b []byte) (int, error) { said <- string(b); return len(b), nil }),
	})
	no(t, err)
	defer func() { no(t, p.Stop(context.WithoutCancel(t.Context()))) }()
	<-said
	if all := standingsOf(t, run); len(all) > 0 {
		t.Errorf("%v of another user can be entered", all)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }
