package kernel

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// The places of a run that are no replica's, as [EnvPlace] has them.
const (
	ClientPlace = "client" // the external client
	HostPlace   = "host"   // the host that owns the front
)

// Standing is a process that stands at a place of a run.
type Standing struct {
	Run   lab.RunID
	Place string
	PID   int // as this process's own pid namespace counts
}

// Standings lists the processes of this user that stand at a place, one for
// each place of each run: the client and the host first, then the replicas in
// the order in which they were started. Unlike a sweep it asks for no
// [lab.Home], since a run in a world of its own has another. Other users'
// processes are left out, and not only because their environment cannot be
// read: whoever enters a place runs what its mounts hold, as root too.
func Standings() ([]Standing, error) {
	everyone, err := pids()
	if err != nil {
		return nil, err
	}
	var all []Standing
	for _, pid := range everyone {
		if s, ok := standing(pid); ok {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b Standing) int {
		return cmp.Or(cmp.Compare(a.Run, b.Run), cmp.Compare(a.rank(), b.rank()), cmp.Compare(a.PID, b.PID))
	})
	seen := map[Standing]bool{}
	return slices.DeleteFunc(all, func(s Standing) bool {
		key := Standing{Run: s.Run, Place: s.Place}
		again := seen[key]
		seen[key] = true
		return again
	}), nil
}

// standing is what a process's environment says of where it stands.
func standing(pid int) (Standing, bool) {
	if !ours(pid) {
		return Standing{}, false
	}
	vars := environOf(pid)
	run, err := lab.ParseRunID(vars[envRun])
	s := Standing{Run: run, Place: vars[EnvPlace], PID: pid}
	return s, err == nil && s.Place != ""
}

// ours says whether a process has this one's effective user, by
// proc_pid_status(5): the owner of its folder in /proc would be root where it
// may not be dumped.
func ours(pid int) bool {
	ids := strings.Fields(field(procFile(pid, "status"), "Uid", ":")) // real, effective, saved, of the file system
	return len(ids) == 4 && ids[1] == strconv.Itoa(os.Geteuid())
}

func (s Standing) rank() int {
	switch s.Place {
	case ClientPlace:
		return 0
	case HostPlace:
		return 1
	}
	return 2
}

// enterable are the kinds of namespace that make up a place (namespaces(7)).
var enterable = []string{"user", "mnt", "pid", "net"}

// Apart lists the kinds of namespace, as /proc/PID/ns names them, in which the
// process is and this one is not: of user, mnt, pid and net.
func (s Standing) Apart() ([]string, error) {
	var apart []string
	for _, kind := range enterable {
		var here, there unix.Stat_t
		err := errors.Join(unix.Stat("/proc/self/ns/"+kind, &here), unix.Stat(procFile(s.PID, "ns/"+kind), &there))
		if err != nil {
			return nil, fmt.Errorf("look at the namespaces of process %d: %w", s.PID, err)
		}
		if here.Dev != there.Dev || here.Ino != there.Ino {
			apart = append(apart, kind)
		}
	}
	return apart, nil
}
