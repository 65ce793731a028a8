package servers_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/portlab/portlab/servers"
)

// generatedVariable names the file that the child reader reads.
const generatedVariable = "PORTLAB_SERVERS_TEST_GENERATED"

// readGenerated is a program with a configuration, which it shows at its start
// and on each SIGHUP.
func readGenerated(ctx context.Context) error {
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)
	for {
		text, err := os.ReadFile(os.Getenv(generatedVariable))
		if err != nil {
			return err
		}
		fmt.Println(string(text))
		if string(text) == "leave" {
			return nil
		}
		select {
		case <-again:
		case <-ctx.Done():
			fmt.Println("told to end")
			return nil
		}
	}
}

// fakeEngine answers as a container engine does, on a socket.
type fakeEngine struct {
	socket string
	events chan string

	mu      sync.Mutex
	running []string          // as the list has them
	asked   map[string]string // filters, by path
}

func newFakeEngine(t *testing.T, running ...string) *fakeEngine {
	t.Helper()
	e := &fakeEngine{socket: filepath.Join(t.TempDir(), "s"), events: make(chan string), running: running, asked: map[string]string{}}
	l, err := net.Listen("unix", e.socket)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: e}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return e
}

func (e *fakeEngine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	e.asked[r.URL.Path] = r.URL.Query().Get("filters")
	running := slices.Clone(e.running)
	e.mu.Unlock()
	if r.URL.Path == "/containers/json" {
		list := []map[string]any{}
		for _, name := range running {
			list = append(list, map[string]any{
				"Id": "id-" + name, "Names": []string{"/" + name}, "Labels": map[string]string{"port": "80"},
				"NetworkSettings": map[string]any{"Networks": map[string]any{"net": map[string]string{"IPAddress": "ip-" + name}}},
			})
		}
		_ = json.NewEncoder(w).Encode(list)
		return
	}
	flush := http.NewResponseController(w)
	_ = flush.Flush()
	for {
		select {
		case event := <-e.events:
			if event == "" {
				return
			}
			fmt.Fprintln(w, event)
			_ = flush.Flush()
		case <-r.Context().Done():
			return
		}
	}
}

// happens has the engine run these containers and tell of an event.
func (e *fakeEngine) happens(action, name string, running ...string) {
	e.mu.Lock()
	e.running = running
	e.mu.Unlock()
	e.events <- fmt.Sprintf(`{"Action":%q,"Actor":{"ID":"id-%s"}}`, action, name)
}

// generate runs a generator for the child reader; its end is what it returns.
func generate(t *testing.T, e *fakeEngine) (log *buffer, stop func(), done <-chan error) {
	t.Helper()
	dir := t.TempDir()
	output := filepath.Join(dir, "output")
	config, err := json.Marshal(servers.GeneratorConfig{
		Engine: "unix://" + e.socket, Labels: []string{"run=a", "port"}, Template: output + ".tmpl", Output: output,
		Command: []string{"env", childVariable + "=reader", generatedVariable + "=" + output, os.Args[0]},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"config.json": string(config),
		"output.tmpl": `{{range .}}[{{.Name}} {{.IP}}:{{.Labels.port}}]{{else}}leave{{end}}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	log = new(buffer)
	ended := make(chan error, 1)
	go func() { ended <- servers.RunGenerator(ctx, filepath.Join(dir, "config.json"), log) }()
	t.Cleanup(stop)
	return log, stop, ended
}

func TestGeneratorFollowsContainers(t *testing.T) {
	e := newFakeEngine(t, "foo", "bar")
	log, stop, done := generate(t, e)
	log.await(t, "[bar ip-bar:80][foo ip-foo:80]\n")
	e.happens("start", "baz", "foo", "bar", "baz")
	log.await(t, "[bar ip-bar:80][baz ip-baz:80][foo ip-foo:80]\n")
	// The list may still have what an event says has ended.
	e.happens("die", "bar", "foo", "bar", "baz")
	log.await(t, "\n[baz ip-baz:80][foo ip-foo:80]\n")
	// The stream ends, and what changed meanwhile is found by the list.
	e.mu.Lock()
	e.running = []string{"bar"}
	e.mu.Unlock()
	e.events <- ""
	log.await(t, "\n[bar ip-bar:80]\n")
	stop()
	if err := <-done; err != nil {
		t.Errorf("told to end, it returned %v", err)
	}
	if !strings.Contains(log.String(), "told to end") {
		t.Errorf("the program was not told to end: %s", log)
	}
	for path, want := range map[string]string{
		"/events":          `{"event":["start","stop","die"],"label":["run=a","port"],"type":["container"]}`,
		"/containers/json": `{"label":["run=a","port"],"status":["running"]}`,
	} {
		if e.asked[path] != want {
			t.Errorf("%s was asked for with %s, want %s", path, e.asked[path], want)
		}
	}
}

func TestGeneratorEndsWithItsProgram(t *testing.T) {
	_, _, done := generate(t, newFakeEngine(t))
	if err := <-done; err == nil || !strings.Contains(err.Error(), "ended by itself") {
		t.Errorf("its program ended, and it returned %v", err)
	}
}

func TestGeneratorConfigIsChecked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.json")
	for _, text := range []string{
		`{"engine":"tcp://a:1","labels":["a"],"template":"a","output":"b","command":["c"]}`,
		`{"engine":"unix:///a","labels":[],"template":"a","output":"b","command":["c"]}`,
		`{"engine":"unix:///a","labels":["a"],"template":"a","output":"a","command":["c"]}`,
		`{"engine":"unix:///a","labels":["a"],"template":"a","output":"b","command":[]}`,
		`{"engine":"unix:///a","label":["a"]}`, `{} {}`, ``,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := servers.ReadGeneratorConfig(path); !errors.Is(err, servers.ErrConfig) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
