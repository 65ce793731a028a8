package step

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
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
	return n.ReloadSignal != 0 && reflect.DeepEqual(s, n)
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
	lines := []string{command("mkdir", "-p", dir)}
	for _, name := range slices.Sorted(maps.Keys(s.Files)) {
		text := strings.TrimSuffix(s.Files[name], "\n")
		lines = append(lines, "cat > "+quote(dir+"/"+name)+" <<'END-OF-FILE'\n"+text+"\nEND-OF-FILE")
	}
	words := []string{s.Program}
	for _, a := range s.Args {
		words = append(words, strings.ReplaceAll(a, lab.SidecarDir, dir))
	}
	return append(lines, s.start(words)+" & echo $! > "+quote(dir+"/pid"))
}

// Undo ends the program and deletes its files; some delete one themselves.
func (s Sidecar) Undo() []string {
	dir := s.folder()
	return []string{`kill "$(cat ` + quote(dir+"/pid") + `)"`, command("rm", "-rf", dir)}
}

// inherit makes listening sockets, puts them where the program expects them
// and becomes the program. A shell cannot do that by itself.
const inherit = `import os, socket, sys
for at, word in enumerate(sys.argv[2].split(), int(sys.argv[1])):
    host, port, share = word.rsplit("/", 2)
    s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(share))
    s.bind((host, int(port)))
    s.listen(4096)
    s.set_inheritable(True)
    os.dup2(s.detach(), at)
os.execvp(sys.argv[3], sys.argv[3:])`

// start is the command that becomes the program, with its descriptors.
func (s Sidecar) start(words []string) string {
	first, status := 3, ""
	if s.Status {
		first, status = 4, " 3>/dev/null"
	}
	if len(s.Sockets) == 0 {
		return command(words...) + status
	}
	var sockets []string
	for _, k := range s.Sockets {
		share := "0"
		if k.ReusePort {
			share = "1"
		}
		sockets = append(sockets, fmt.Sprintf("%s/%d/%s", k.Address.Addr(), k.Address.Port(), share))
	}
	head := []string{"python3", "-c", inherit, fmt.Sprint(first), strings.Join(sockets, " ")}
	return command(append(head, words...)...) + status
}
