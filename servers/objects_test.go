package servers

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// apiServer is an API server that holds what was applied, and is ready from
// the third question on.
type apiServer struct {
	mu      sync.Mutex
	asked   int
	holds   map[string]string
	applied chan string
}

func (a *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case r.Header.Get("Authorization") != "Bearer secret":
		http.Error(w, "who are you?", http.StatusUnauthorized)
	case r.URL.Path == "/readyz":
		if a.asked++; a.asked < 3 {
			http.Error(w, "not yet", http.StatusInternalServerError)
		}
	case r.Method != http.MethodPatch || r.Header.Get("Content-Type") != "application/apply-patch+yaml" || a.asked < 3:
		http.Error(w, "this is no apply", http.StatusUnsupportedMediaType)
	case r.URL.Path == "/refused":
		http.Error(w, "no such kind", http.StatusNotFound)
	default:
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		a.holds[r.URL.Path] = string(body)
		a.applied <- r.URL.Path
	}
}

func startAPI(t *testing.T) (*apiServer, string) {
	a := &apiServer{holds: map[string]string{}, applied: make(chan string, 10)}
	s := httptest.NewTLSServer(a)
	t.Cleanup(s.Close)
	return a, s.URL
}

// objectsFile writes a configuration with one object at each path.
func objectsFile(t *testing.T, path, server, body string, at ...string) {
	t.Helper()
	c := ObjectsConfig{Server: server, Token: "secret"}
	for _, p := range at {
		c.Objects = append(c.Objects, Object{Path: p, Body: json.RawMessage(body)})
	}
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestObjectsFollowTheirFile(t *testing.T) {
	api, url := startAPI(t)
	file := filepath.Join(t.TempDir(), "objects.json")
	objectsFile(t, file, url, `{"turn":1}`, "/a", "/b")
	ready, say := io.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- RunObjects(ctx, file, say, io.Discard) }()

	said, err := io.ReadAll(ready)
	if err != nil || string(said) != "0\n" {
		t.Fatalf("it says %q, %v", said, err)
	}
	if d := cmp.Diff(map[string]string{"/a": `{"turn":1}`, "/b": `{"turn":1}`}, api.holds); d != "" {
		t.Error(d)
	}
	<-api.applied
	<-api.applied
	objectsFile(t, file, url, `{"turn":2}`, "/a")
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if at := <-api.applied; at != "/a" || api.holds["/a"] != `{"turn":2}` {
		t.Errorf("applied again: %s, %s", at, api.holds["/a"])
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestObjectsThatAreRefusedAreAnError(t *testing.T) {
	_, url := startAPI(t)
	file := filepath.Join(t.TempDir(), "objects.json")
	objectsFile(t, file, url, `{}`, "/refused")
	_, say := io.Pipe()
	if err := RunObjects(t.Context(), file, say, io.Discard); err == nil {
		t.Error("an object that the API server refused was taken for applied")
	}
}

func TestObjectsConfigIsStrict(t *testing.T) {
	file := filepath.Join(t.TempDir(), "objects.json")
	for _, text := range []string{``, `{}`, `{"server":"http://x","objects":[{"path":"/a","body":{}}]}`, `{"server":"https://x","objects":[]}`, `{"sever":"https://x"}`} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadObjectsConfig(file); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
