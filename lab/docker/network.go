package docker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"github.com/portlab/portlab/lab"
)

// makeNetwork makes the run's network. testcontainers-go cannot name the bridge
// or the parent link, and the strategies must know it, so its client is asked
// directly.
func (e *engine) makeNetwork(ctx context.Context, spec lab.FleetSpec, l layout) error {
	ctx, cancel := uncut(ctx)
	defer cancel()
	run := spec.Run
	option, link := linkOption(spec)
	_, err := e.api.NetworkCreate(ctx, run.Object("net"), client.NetworkCreateOptions{
		Driver:  driver(spec),
		Labels:  labels(run, e.home),
		Options: map[string]string{option: link},
		IPAM:    &network.IPAM{Config: []network.IPAMConfig{{Subnet: l.subnet, Gateway: l.gateway}}},
	})
	if err != nil {
		return fmt.Errorf("make the network %s on %s: %w", run.Object("net"), l.subnet, err)
	}
	return nil
}

// removeNetwork removes a network; no error if it is gone. The engine refuses
// for a moment after the last container went.
func (e *engine) removeNetwork(ctx context.Context, name string) error {
	for {
		_, err := e.api.NetworkRemove(ctx, name, client.NetworkRemoveOptions{})
		if err == nil || errdefs.IsNotFound(err) {
			return nil
		}
		if !errdefs.IsPermissionDenied(err) && !errdefs.IsConflict(err) {
			return fmt.Errorf("remove the network %s: %w", name, err)
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("remove the network %s: %w", name, err), ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}
