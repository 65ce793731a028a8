package servers

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// ObjectsConfig says which objects an API server of Kubernetes shall hold.
type ObjectsConfig struct {
	Server  string   `json:"server"` // its address, such as https://127.0.0.1:6443
	Token   string   `json:"token"`  // of a bearer who may write them
	Objects []Object `json:"objects"`
}

// Object is an object of Kubernetes, and its place in the API.
type Object struct {
	Path string          `json:"path"` // such as /api/v1/namespaces/default/services/web
	Body json.RawMessage `json:"body"`
}

// ReadObjectsConfig reads a configuration from a file. A mistake in it is an
// [ErrConfig] that names the file.
func ReadObjectsConfig(path string) (ObjectsConfig, error) {
	return readConfig(path, "the objects", parseObjectsConfig)
}

func parseObjectsConfig(text []byte) (c ObjectsConfig, err error) {
	if err := decodeStrictly(text, &c); err != nil {
		return c, err
	}
	if !strings.HasPrefix(c.Server, "https://") || len(c.Objects) == 0 {
		return c, errors.New(`"server" must begin with https:// and "objects" name at least one`)
	}
	return c, nil
}

// RunObjects gives an API server of Kubernetes the objects of a file, by
// server-side apply, as soon as it is ready, writes "0\n" to ready, and keeps
// them so until ctx ends: SIGHUP has the file read again. It is what a
// controller does, for a cluster of one machine that has none.
//
// Errors: [ErrConfig] for a bad file, and what the API server said. After the
// first time, they only go to the log.
func RunObjects(ctx context.Context, configPath string, ready io.WriteCloser, logTo io.Writer) error {
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)
	c, err := ReadObjectsConfig(configPath)
	if err != nil {
		return err
	}
	logger := log.New(logTo, "objects: ", 0)
	if err := c.await(ctx); err != nil {
		return err
	}
	if err := c.apply(ctx); err != nil {
		return err
	}
	if _, err := io.WriteString(ready, "0\n"); err != nil {
		return fmt.Errorf("say that the objects are there: %w", err)
	}
	if err := ready.Close(); err != nil {
		return fmt.Errorf("say that the objects are there: %w", err)
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-reload:
		}
		if c, err = ReadObjectsConfig(configPath); err == nil {
			err = c.apply(ctx)
		}
		if err != nil {
			logger.Printf("not changed: %v", err)
		}
	}
}

// apiClient trusts the certificate that the API server has made for itself: it
// is asked at the loopback address of a namespace of the run's own.
var apiClient = &http.Client{
	Timeout:   10 * time.Second,
	Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, //nolint:gosec // see above
}

// await returns when the API server says that it is ready, or with what was
// wrong last when ctx ends.
func (c ObjectsConfig) await(ctx context.Context) error {
	for {
		err := c.ask(ctx, http.MethodGet, "/readyz", "", nil)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the API server: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (c ObjectsConfig) apply(ctx context.Context) error {
	for _, o := range c.Objects {
		// https://kubernetes.io/docs/reference/using-api/server-side-apply/
		err := c.ask(ctx, http.MethodPatch, o.Path+"?fieldManager=portlab&force=true", "application/apply-patch+yaml", o.Body)
		if err != nil {
			return fmt.Errorf("apply %s: %w", o.Path, err)
		}
	}
	return nil
}

func (c ObjectsConfig) ask(ctx context.Context, method, path, kind string, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, method, c.Server+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+c.Token)
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	resp, err := apiClient.Do(r)
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	err = errors.Join(err, resp.Body.Close())
	if err == nil && resp.StatusCode/100 != 2 {
		err = fmt.Errorf("%s: %s", resp.Status, strings.TrimSpace(string(answer)))
	}
	return err
}
