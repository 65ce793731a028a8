package docker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
)

// parallel is how many containers are started or ended at a time: the engine
// gains nothing from more.
const parallel = 16

// fleet is containers on a network of their own. It implements [lab.Fleet],
// [lab.Scaler], [lab.Counter], [lab.Logger], [lab.Metered] and [lab.Killer].
type fleet struct {
	engine *engine
	spec   lab.FleetSpec
	binary string
	layout layout
	image  string // of the replicas, when it is ours
	host   *kernel.Host
	own    *kernel.Namespace // the machine's
	client *kernel.Namespace // the external client's; nil without CAP_NET_ADMIN
	claims closers
	meter  *meter

	mu         sync.Mutex
	blueprint  lab.Blueprint
	sandbox    testcontainers.Container
	containers map[string]testcontainers.Container // by instance
	started    int                                 // replicas so far, those gone included
	sidecars   *sidecars
	networked  bool
	linked     bool
	node       string // of the engine in its swarm, where replicas are tasks
	service    string // whose tasks they are
	complete   bool
	closed     bool
}

func (f *fleet) open(ctx context.Context) error {
	if err := f.claim(ctx); err != nil {
		return err
	}
	own, err := kernel.Own()
	if err != nil {
		return err
	}
	f.own, f.containers = own, map[string]testcontainers.Container{}
	f.sidecars, f.meter = newSidecars(f), newMeter()
	f.host = kernel.NewHost(own, f.sidecars)
	f.checkUserChain()
	if err := together(ctx, f.makeImage, f.makeNetwork, f.makeClient); err != nil {
		return err
	}
	if err := f.startReplicas(ctx); err != nil {
		return err
	}
	if err := f.checkPublished(ctx); err != nil {
		return err
	}
	if err := f.forgetDatagrams(); err != nil {
		return err
	}
	f.complete = true
	return nil
}

// checkUserChain finds out whether Docker has its chain here, in which forwarded
// traffic is to be accepted. An engine that keeps its hands off iptables has
// none, as Podman has, and then drops nothing itself.
func (f *fleet) checkUserChain() {
	rules, err := f.host.Rules(lab.IPv4)
	if err != nil {
		return // no strategy can use the chain either
	}
	if there, err := rules.HasChain("filter", userChain); err != nil || there {
		return
	}
	f.blueprint.Facts.ForwardChain = ""
	if f.engine.podman {
		return // that is how it is
	}
	f.notice("the engine has no chain " + userChain + ": if the front does not answer, look at what else filters forwarded traffic")
}

func (f *fleet) notice(text string) {
	if f.spec.Notice != nil {
		f.spec.Notice(text)
	}
}

// claim takes the addresses and the port that the fleet will use.
func (f *fleet) claim(ctx context.Context) error {
	port, claim, err := takePort(ctx, f.spec)
	if err != nil {
		return err
	}
	f.claims.add(claim)
	l, slot, err := takeSlot(ctx, f.engine)
	if err != nil {
		return err
	}
	f.claims.add(slot)
	f.layout = l
	f.blueprint = draft(f.spec, l, port, f.engine.address)
	f.started = f.spec.Replicas
	f.noticeFront()
	return nil
}

func (f *fleet) makeImage(ctx context.Context) error {
	if f.spec.Image != "" && f.spec.Placement != lab.SharedNetns {
		return nil // the sandbox is the only container of ours beside the user's
	}
	binary, err := ownBinary(f.binary)
	if err != nil {
		return err
	}
	f.image, err = f.engine.makeImage(ctx, f.spec.Run, binary)
	return err
}

func (f *fleet) makeNetwork(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if f.spec.Publish.OfService() {
		node, err := f.engine.joinSwarm(ctx, f.spec.Run, f.layout)
		f.node = node
		return err
	}
	if err := f.makeParent(ctx); err != nil {
		return err
	}
	if err := f.engine.makeNetwork(ctx, f.spec, f.layout); err != nil {
		return err
	}
	f.networked = true
	return nil
}

func (f *fleet) startReplicas(ctx context.Context) error {
	if f.spec.Publish.OfService() {
		return f.startService(ctx)
	}
	return f.startAll(ctx, containersOf(f.spec, f.layout, f.blueprint))
}

// startAll starts containers; those that join another's namespace after it.
func (f *fleet) startAll(ctx context.Context, plans []plan) error {
	if len(plans) > 0 && plans[0].instance == "" {
		c, err := f.start(ctx, plans[0], nil)
		if err != nil {
			return err
		}
		f.sandbox, plans = c, plans[1:]
	}
	var tasks []func(context.Context) error
	for _, p := range plans {
		tasks = append(tasks, func(ctx context.Context) error {
			c, err := f.start(ctx, p, f.readiness(p))
			if err != nil {
				return err
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			f.containers[p.instance] = c
			return nil
		})
	}
	return together(ctx, tasks...)
}

// readiness is how to find out that a replica serves. Those in one namespace
// share an address, so each is asked by its log.
func (f *fleet) readiness(p plan) wait.Strategy {
	timeout := f.readyTimeout()
	switch {
	case p.image != "" && (p.join != "" || p.transport != "tcp"):
		return nil // nothing is known of it; the front is probed before anything is counted
	case p.join != "":
		return wait.ForLog("listening").WithPollInterval(pollInterval).WithStartupTimeout(timeout)
	case p.image != "":
		return ready{timeout: timeout, ask: accepting(p.at())}
	default:
		return ready{timeout: timeout, ask: healthy(p.at())}
	}
}

func (f *fleet) readyTimeout() time.Duration { return cmp.Or(f.spec.ReadyTimeout, 30*time.Second) }

// Host is the machine itself; sidecars are containers in its network.
func (f *fleet) Host() lab.Host { return f.host }

// Blueprint describes the fleet as it is now.
func (f *fleet) Blueprint() lab.Blueprint {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.blueprint
	b.Replicas = slices.Clone(b.Replicas)
	return b
}

// Close takes away the containers, the network, the client and the image.
func (f *fleet) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lab.RevertTimeout)
	defer cancel()
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return nil
	}
	f.closed = true
	f.mu.Unlock()
	errs := []error{f.endService(ctx), f.removeAll(ctx)}
	if !f.complete {
		// What failed may have been carried out in part.
		errs = append(errs, f.engine.removeContainers(ctx, f.spec.Run))
	}
	errs = append(errs, f.closeClient(ctx))
	if f.networked || !f.complete {
		errs = append(errs, f.engine.removeNetwork(ctx, f.spec.Run.Object("net")), f.removeParent(ctx))
	}
	if f.spec.Publish.OfService() {
		errs = append(errs, f.engine.leaveSwarm(ctx, f.spec.Run))
	}
	errs = append(errs, f.removeImages(ctx))
	if f.own != nil {
		errs = append(errs, f.own.Close())
	}
	return errors.Join(append(errs, f.claims.close())...)
}

func (f *fleet) removeAll(ctx context.Context) error {
	var tasks []func(context.Context) error
	if f.sidecars != nil {
		tasks = append(tasks, f.sidecars.stopAll)
	}
	for _, c := range f.containers {
		tasks = append(tasks, func(ctx context.Context) error { return f.remove(ctx, c, 0) })
	}
	err := together(ctx, tasks...)
	if f.sandbox != nil {
		// Podman removes no container whose network namespace others share.
		err = errors.Join(err, f.remove(ctx, f.sandbox, 0))
	}
	return err
}

func (f *fleet) removeImages(ctx context.Context) error {
	var errs []error
	if f.image != "" {
		errs = append(errs, f.engine.removeImage(ctx, f.image))
	}
	if f.sidecars != nil {
		errs = append(errs, f.sidecars.removeImages(ctx))
	}
	return errors.Join(errs...)
}

// together does tasks in parallel, all of them, and joins their errors.
func together(ctx context.Context, tasks ...func(context.Context) error) error {
	errs := make([]error, len(tasks))
	free := make(chan struct{}, parallel)
	var wg sync.WaitGroup
	for i, task := range tasks {
		free <- struct{}{}
		wg.Go(func() {
			errs[i] = task(ctx)
			<-free
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// find gives a replica's container.
func (f *fleet) find(instance string) (testcontainers.Container, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, ok := f.containers[instance]
	if !ok {
		return nil, fmt.Errorf("there is no replica %q", instance)
	}
	return c, nil
}
