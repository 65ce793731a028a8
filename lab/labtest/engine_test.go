package labtest

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// engineSays starts an engine that gives one answer, and has the tests ask it.
func engineSays(t *testing.T, status int, answer string) {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "engine-") //nolint:usetesting // the path of a socket must be short (unix(7))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	t.Setenv("DOCKER_HOST", "unix://"+path)
}

func TestEngineIsShown(t *testing.T) {
	for _, c := range []struct{ path, answer, want string }{
		{"/containers/json?all=1", `[{"Id":"b","Names":["/bar"],"Status":"Up 2 seconds"},{"Id":"a","Names":["/foo"]}]`, "a  /foo\nb  /bar"},
		{"/networks", `[{"Name":"bridge","Id":"n"}]`, "n bridge"},
		{"/images/json?all=1", `[{"Id":"i","RepoTags":["x:1","y:2"],"Containers":-1},{"Id":"j","RepoTags":null}]`, "i  x:1 y:2\nj "},
		{"/volumes", `{"Volumes":[{"Name":"v"}],"Warnings":null}`, " v"},
		{"/volumes", `{"Volumes":[],"Warnings":null}`, ""},
	} {
		engineSays(t, http.StatusOK, c.answer)
		if got := showEngine(t.Context(), c.path); got != c.want {
			t.Errorf("%s: %q, want %q", c.path, got, c.want)
		}
	}
}

// What cannot be seen is not taken for nothing.
func TestEngineThatDoesNotAnswerIsSeen(t *testing.T) {
	engineSays(t, http.StatusInternalServerError, "[]")
	if got := showEngine(t.Context(), "/networks"); !strings.Contains(got, "500") {
		t.Errorf("it fails, and shows %q", got)
	}
	t.Setenv("DOCKER_HOST", "unix:///nonexistent.sock")
	if got := showEngine(t.Context(), "/networks"); !strings.Contains(got, "nonexistent.sock") {
		t.Errorf("there is none, and shows %q", got)
	}
}
