package step

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/portlab/portlab/lab"
)

// Sidecar is a program that runs beside the replicas as long as the exposure
// stands.
type Sidecar struct{ lab.Sidecar }

// ID names the sidecar.
func (s Sidecar) ID() string { return "sidecar " + s.Name }

// Apply starts the program and returns when it listens.
func (s Sidecar) Apply(ctx context.Context, h lab.Host) error {
	return h.Sidecars().Start(ctx, s.Sidecar)
}

// Replace gives the program its new files where only they differ and it can
// read them again; otherwise it starts it anew, which loses connections.
func (s Sidecar) Replace(ctx context.Context, h lab.Host, next lab.Step) error {
	n, ok := next.(Sidecar)
	if !ok || n.ID() != s.ID() {
		return fmt.Errorf("%s cannot become %s", s.ID(), next.ID())
	}
	if s.reloadsInto(n) {
		return h.Sidecars().Reload(ctx, n.Sidecar)
	}
	if err := h.Sidecars().Stop(ctx, s.Name); err != nil {
		return err
	}
	return h.Sidecars().Start(ctx, n.Sidecar)
}

func (s Sidecar) reloadsInto(n Sidecar) bool {
	s.Files, n.Files = nil, nil
	return (n.ReloadSignal != 0 || n.Watches) && reflect.DeepEqual(s, n)
}

// Revert stops the program.
func (s Sidecar) Revert(ctx context.Context, h lab.Host) error {
	return h.Sidecars().Stop(ctx, s.Name)
}

// folder is where the files are when the sidecar is started by hand.
func (s Sidecar) folder() string { return "/tmp/portlab-" + s.Name }

// Shell writes the files and starts the program in the background. The process
// id is kept beside the files.
func (s Sidecar) Shell() []string {
	dir := s.folder()
	lines := []string{lab.ShellLine("mkdir", "-p", dir)}
	for _, name := range slices.Sorted(maps.Keys(s.Files)) {
		text := strings.TrimSuffix(strings.ReplaceAll(s.Files[name], lab.SidecarDir, dir), "\n")
		lines = append(lines, "cat > "+lab.ShellWord(dir+"/"+name)+" <<'END-OF-FILE'\n"+text+"\nEND-OF-FILE")
	}
	words := append([]string{s.Program}, s.inFolder(s.Args)...)
	return append(lines, s.start(words)+" & echo $! > "+lab.ShellWord(dir+"/pid"))
}

// Undo ends the program, has it take back what it changed, and deletes its
// files; some delete one themselves.
func (s Sidecar) Undo() []string {
	dir := s.folder()
	pid := `"$(cat ` + lab.ShellWord(dir+"/pid") + `)"`
	lines := []string{"kill " + pid}
	if len(s.AfterStop) > 0 {
		lines = append(lines, "while kill -0 "+pid+" 2>/dev/null; do sleep 0.1; done",
			lab.ShellLine(append([]string{s.Program}, s.inFolder(s.AfterStop)...)...))
	}
	return append(lines, lab.ShellLine("rm", "-rf", dir))
}

// inFolder are arguments with the folder of the files in its place.
func (s Sidecar) inFolder(args []string) []string {
	all := make([]string, len(args))
	for i, a := range args {
		all[i] = strings.ReplaceAll(a, lab.SidecarDir, s.folder())
	}
	return all
}

// start is the command that becomes the program, with its descriptors.
func (s Sidecar) start(words []string) string {
	first, status := 3, ""
	if s.Status {
		first, status = 4, " 3>/dev/null"
	}
	if s.Activated {
		// Only the process itself knows its id. What is activated is often a
		// program that no person types, and not in PATH.
		words = append([]string{"sh", "-c", `PATH=$PATH:/usr/lib/systemd LISTEN_PID=$$ LISTEN_FDS=` + strconv.Itoa(len(s.Sockets)) + ` exec "$@"`, "sh"}, words...)
	}
	return lab.ShellInherit(first, s.Sockets, words) + status
}
