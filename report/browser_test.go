package report

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/portlab/portlab/lab/labtest"
)

// screenshots is the variable that names a folder for what the browser showed.
const screenshots = "PORTLAB_SCREENSHOTS"

// browser is a Chromium without a window, steered by the DevTools protocol
// (https://chromedevtools.github.io/devtools-protocol/).
type browser struct {
	t       *testing.T
	ctx     context.Context
	conn    *websocket.Conn
	session string
	last    int // command
	events  []message
}

// message is an answer to a command or, without an ID, an event.
type message struct {
	ID        int             `json:"id,omitempty"`
	SessionID string          `json:"sessionId,omitempty"`
	Method    string          `json:"method,omitempty"`
	Params    any             `json:"params,omitempty"`
	Result    json.RawMessage `json:"result,omitempty"`
	Error     *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

var devTools = regexp.MustCompile(`DevTools listening on (ws://\S+)`)

// openBrowser starts a browser for the length of the test, which is skipped where there is none.
func openBrowser(t *testing.T) *browser {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	labtest.Require(t, "chromium", path != "", "no program chromium, chromium-browser or google-chrome is in PATH")
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	c := exec.Command(path, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--hide-scrollbars", "--remote-debugging-port=0",
		"--user-data-dir="+t.TempDir(), "about:blank")
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // with all the processes that it starts
	said, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) // it may have ended
		_ = c.Wait()                                      // it was killed
	})
	return dialBrowser(ctx, t, browserAddress(t, bufio.NewScanner(said)))
}

// browserAddress is where the browser says that it listens.
func browserAddress(t *testing.T, said *bufio.Scanner) string {
	t.Helper()
	var all []string
	for said.Scan() {
		if m := devTools.FindStringSubmatch(said.Text()); m != nil {
			go func() {
				for said.Scan() { // else it waits for a reader
				}
			}()
			return m[1]
		}
		all = append(all, said.Text())
	}
	t.Fatalf("the browser ended: %s", strings.Join(all, "\n"))
	return ""
}

func dialBrowser(ctx context.Context, t *testing.T, at string) *browser {
	t.Helper()
	conn, _, err := websocket.Dial(ctx, at, nil)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(64 << 20)               // bytes: a screenshot is one message
	t.Cleanup(func() { _ = conn.CloseNow() }) // the browser is killed next
	b := &browser{t: t, ctx: ctx, conn: conn}
	var target struct {
		TargetID string `json:"targetId"`
	}
	b.do("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct {
		SessionID string `json:"sessionId"`
	}
	b.do("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Network", "Log"} {
		b.do(domain+".enable", nil, nil)
	}
	return b
}

// do gives a command and waits for its answer. Events on the way are kept.
func (b *browser) do(method string, params, result any) {
	b.t.Helper()
	b.last++
	if err := wsjson.Write(b.ctx, b.conn, message{ID: b.last, SessionID: b.session, Method: method, Params: params}); err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
	for {
		m := b.next()
		if m.ID != b.last {
			b.events = append(b.events, m)
			continue
		}
		if m.Error != nil {
			b.t.Fatalf("%s: %s", method, m.Error.Message)
		}
		if result != nil {
			if err := json.Unmarshal(m.Result, result); err != nil {
				b.t.Fatalf("%s: %v", method, err)
			}
		}
		return
	}
}

func (b *browser) next() message {
	b.t.Helper()
	var m message
	if err := wsjson.Read(b.ctx, b.conn, &m); err != nil {
		b.t.Fatalf("read from the browser: %v", err)
	}
	return m
}

// screen is what a reader has.
type screen struct {
	width int // CSS pixels
	dark  bool
}

func (s screen) String() string {
	if s.dark {
		return fmt.Sprintf("%d-dark", s.width)
	}
	return fmt.Sprintf("%d-light", s.width)
}

// screens are those on which a page must be a pleasure to read.
var screens = []screen{{1280, false}, {1280, true}, {390, false}, {390, true}}

// open shows a file on a screen, until it is loaded.
func (b *browser) open(path string, s screen) {
	b.t.Helper()
	scheme := "light"
	if s.dark {
		scheme = "dark"
	}
	b.do("Emulation.setDeviceMetricsOverride", map[string]any{"width": s.width, "height": 800, "deviceScaleFactor": 1, "mobile": s.width < 500}, nil)
	b.do("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
	b.events = nil
	b.do("Page.navigate", map[string]any{"url": "file://" + path}, nil)
	for !b.happened("Page.loadEventFired") {
		b.events = append(b.events, b.next())
	}
}

func (b *browser) happened(method string) bool {
	for _, e := range b.events {
		if e.Method == method {
			return true
		}
	}
	return false
}

// evaluate runs a script in the page, which the page itself could not, and takes its value.
func (b *browser) evaluate(script string, value any) {
	b.t.Helper()
	var answer struct {
		Result struct {
			Value json.RawMessage `json:"value"`
		} `json:"result"`
		Exception json.RawMessage `json:"exceptionDetails"`
	}
	b.do("Runtime.evaluate", map[string]any{"expression": script, "returnByValue": true}, &answer)
	if answer.Exception != nil {
		b.t.Fatalf("the script failed: %s", answer.Exception)
	}
	if err := json.Unmarshal(answer.Result.Value, value); err != nil {
		b.t.Fatalf("the script gave %s: %v", answer.Result.Value, err)
	}
}

// keep writes what the whole page looks like to the folder that the variable
// [screenshots] names, if it does.
func (b *browser) keep(name string) {
	b.t.Helper()
	dir := os.Getenv(screenshots)
	if dir == "" {
		return
	}
	var shot struct {
		Data string `json:"data"`
	}
	b.do("Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true}, &shot)
	png, err := base64.StdEncoding.DecodeString(shot.Data)
	if err := errors.Join(err, os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644)); err != nil {
		b.t.Fatal(err)
	}
}
