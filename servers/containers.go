package servers

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// unixScheme begins the address of an engine on this machine.
const unixScheme = "unix://"

// engineTimeout is how long an engine may take to list containers.
const engineTimeout = 10 * time.Second

// Container is one that runs, as a template sees it.
type Container struct {
	ID     string
	Name   string
	IP     string // in its network; of the first by name, where it has several
	Labels map[string]string
}

// containerEngine is a container engine, by the part of its API that tells of
// containers (https://docs.docker.com/reference/api/engine/).
type containerEngine struct {
	client *http.Client
	labels []string // that containers must have to be told of
}

func newContainerEngine(address string, labels []string) *containerEngine {
	socket := strings.TrimPrefix(address, unixScheme)
	return &containerEngine{labels: labels, client: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		},
	}}}
}

// containerEvent is what an engine says when a container starts or ends.
type containerEvent struct {
	Action string
	Actor  struct{ ID string }
}

// events is a stream of [containerEvent] as JSON, one for each container that starts
// or ends from now on. It ends with ctx.
func (e *containerEngine) events(ctx context.Context) (io.ReadCloser, error) {
	return e.get(ctx, "/events", map[string][]string{
		"type": {"container"}, "event": {"start", "stop", "die"}, "label": e.labels,
	})
}

// containers lists those that run, by name.
func (e *containerEngine) containers(ctx context.Context) ([]Container, error) {
	ctx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	body, err := e.get(ctx, "/containers/json", map[string][]string{"status": {"running"}, "label": e.labels})
	if err != nil {
		return nil, err
	}
	defer body.Close()
	var list []struct {
		ID              string `json:"Id"`
		Names           []string
		Labels          map[string]string
		NetworkSettings struct {
			Networks map[string]struct{ IPAddress string }
		}
	}
	if err := json.NewDecoder(body).Decode(&list); err != nil {
		return nil, fmt.Errorf("the engine's list of containers: %w", err)
	}
	var all []Container
	for _, x := range list {
		c := Container{ID: x.ID, Labels: x.Labels}
		if len(x.Names) > 0 {
			c.Name = strings.TrimPrefix(x.Names[0], "/")
		}
		if names := slices.Sorted(maps.Keys(x.NetworkSettings.Networks)); len(names) > 0 {
			c.IP = x.NetworkSettings.Networks[names[0]].IPAddress
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b Container) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// get asks the engine, whose host has no name on a socket.
func (e *containerEngine) get(ctx context.Context, path string, filters map[string][]string) (io.ReadCloser, error) {
	asked, err := json.Marshal(filters)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://engine"+path+"?filters="+url.QueryEscape(string(asked)), nil)
	if err != nil {
		return nil, err
	}
	answer, err := e.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("ask the engine for %s: %w", path, err)
	}
	if answer.StatusCode != http.StatusOK {
		defer answer.Body.Close()
		said, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<10)) // the status is known already
		return nil, fmt.Errorf("ask the engine for %s: status %s: %s", path, answer.Status, strings.TrimSpace(string(said)))
	}
	return answer.Body, nil
}
