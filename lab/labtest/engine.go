package labtest

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

// engineLists are what a container engine has, by the paths of its API
// (https://docs.docker.com/reference/api/engine/). To ask it takes a fraction of
// what it takes to start docker(1).
var engineLists = []string{"/containers/json?all=1", "/networks", "/images/json?all=1", "/volumes"}

// engineObject is what tells one entry of these lists from another.
type engineObject struct {
	ID    string   `json:"Id"`
	Name  string   // of a network or a volume
	Names []string // of a container
	Tags  []string `json:"RepoTags"` // of an image
}

// engineSocket is where the engine of this machine listens.
func engineSocket() string {
	if path, ok := strings.CutPrefix(os.Getenv("DOCKER_HOST"), "unix://"); ok {
		return path
	}
	return "/var/run/docker.sock"
}

// showEngine lists what an engine has, of one kind. Why it does not say is part
// of the picture.
func showEngine(ctx context.Context, path string) string {
	objects, err := askEngine(ctx, path)
	if err != nil {
		return err.Error()
	}
	lines := make([]string, len(objects))
	for i, o := range objects {
		lines[i] = strings.Join(append([]string{o.ID, o.Name}, append(o.Names, o.Tags...)...), " ")
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func askEngine(ctx context.Context, path string) ([]engineObject, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", engineSocket())
		},
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://engine"+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the engine says %s to %s", resp.Status, path)
	}
	var volumes struct{ Volumes []engineObject }
	if path == "/volumes" {
		err = json.NewDecoder(resp.Body).Decode(&volumes)
		return volumes.Volumes, err
	}
	var all []engineObject
	err = json.NewDecoder(resp.Body).Decode(&all)
	return all, err
}
