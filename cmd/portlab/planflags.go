package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"

	"github.com/spf13/cobra"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
	"github.com/portlab/portlab/lab/load"
)

// The defaults of a load.
const (
	defaultRequests = 300 // those of the article that the lab began with
	// openConcurrency bounds an open loop, which is not meant to wait.
	openConcurrency = 1000
)

// planFlags are the flags that say how load is offered: those that run and load
// share.
type planFlags struct {
	plan      lab.Plan
	keepAlive bool
	client    string
	cpus      string
}

func defaultPlan() lab.Plan {
	p := lab.DefaultPlan()
	p.Requests = defaultRequests
	return p
}

func addPlanFlags(c *cobra.Command) *planFlags {
	f := &planFlags{plan: defaultPlan()}
	f.addPace(c)
	f.addConnections(c)
	c.Flags().DurationVar(&f.plan.Timeout, "timeout", f.plan.Timeout, "how long a request may take, from when it was due")
	c.Flags().Uint64Var(&f.plan.Seed, "seed", 0, "of all that is random in the load; 0: another one each time")
	c.Flags().StringVar(&f.plan.Host, "host", "", "the Host header of a request, or HTTP/2's :authority (default the front's address)")
	c.Flags().StringVar(&f.plan.InstanceHeader, "instance-header", "", "the `HEADER` of an answer that names who gave it, such as X-Served-By")
	c.Flags().StringVar(&f.plan.InstancePattern, "instance-pattern", "", "a regular `EXPRESSION` that finds in the body who gave the answer; its first group, if there is one")
	c.Flags().StringVar(&f.client, "client", load.Auto, "what makes the requests: "+alternatives(clientWords()))
	c.Flags().StringVar(&f.cpus, "cpus", "", "the CPUs that the client may use, a `LIST` such as 0,2-3 (default all)")
	complete(c, "client", clientWords()...)
	return f
}

// addPace adds the flags that say how many requests there are, and when.
func (f *planFlags) addPace(c *cobra.Command) {
	c.Flags().IntVar(&f.plan.Requests, "requests", f.plan.Requests, "how many requests; 0, or --duration alone: as many as there are in that time")
	c.Flags().DurationVar(&f.plan.Duration, "duration", 0, "how long requests are made; 0s: until there were --requests")
	c.Flags().IntVar(&f.plan.Concurrency, "concurrency", f.plan.Concurrency, "how many requests at a time; with --rate at most, 1000 by default")
	c.Flags().Float64Var(&f.plan.Rate, "rate", 0, "requests per second, due whatever the answers do: an open loop; 0: a closed loop, as fast as they are answered")
	c.Flags().StringVar((*string)(&f.plan.Arrivals), "arrivals", string(f.plan.Arrivals), "how the requests of an open loop are spaced: constant, or poisson as those of many users are")
	c.Flags().DurationVar(&f.plan.Ramp, "ramp", 0, "how long the load takes to grow from nothing")
	c.Flags().DurationVar(&f.plan.WarmUp, "warm-up", 0, "how long requests are made before those that count")
	complete(c, "arrivals", string(lab.Constant), string(lab.Poisson))
}

// addConnections adds the flags that say how connections are used.
func (f *planFlags) addConnections(c *cobra.Command) {
	c.Flags().IntVar(&f.plan.PerConnection, "requests-per-connection", f.plan.PerConnection, "how many requests on each connection; 0: as many as it lasts for")
	c.Flags().BoolVar(&f.keepAlive, "keep-alive", false, "keep connections: the same as --requests-per-connection 0")
	c.Flags().IntVar(&f.plan.Streams, "streams", f.plan.Streams, "how many requests at a time on each connection of HTTP/2, or from each UDP socket; more than 1 keep it, as --keep-alive does")
	c.Flags().StringVar((*string)(&f.plan.CloseFirst), "close", string(f.plan.CloseFirst), "who closes a connection first, and keeps its port busy for a minute: server or client")
	c.Flags().IntVar(&f.plan.Clients, "clients", f.plan.Clients, "how many addresses the requests come from, in turn")
	complete(c, "close", string(lab.ServerEnd), string(lab.ClientEnd))
}

func clientWords() []string { return append([]string{load.Auto}, load.Drivers()...) }

// resolve is the plan that the flags of a command line ask for, checked. The
// seed is drawn if it is left open.
func (f *planFlags) resolve(c *cobra.Command, protocol lab.Protocol) (lab.Plan, error) {
	given := c.Flags().Changed
	p := f.plan
	p.Protocol = protocol
	if given("duration") && p.Duration > 0 && !given("requests") {
		p.Requests = 0
	}
	if p.Open() && !given("concurrency") {
		p.Concurrency = openConcurrency
	}
	if f.keepAlive || p.Streams > 1 && !given("requests-per-connection") {
		p.PerConnection = 0
	}
	if p.Seed == 0 {
		p.Seed = randomSeed()
	}
	switch {
	case f.keepAlive && given("requests-per-connection") && f.plan.PerConnection != 0:
		return p, lab.Usagef("--keep-alive and --requests-per-connection %d contradict each other: leave one out", f.plan.PerConnection)
	case headless(protocol) && (p.Host != "" || p.InstanceHeader != ""):
		return p, lab.Usagef("%s has no headers: leave --host and --instance-header out", protocol)
	case given("arrivals") && p.Rate == 0:
		return p, lab.Usagef("--arrivals says how the requests of an open loop are spaced: give --rate too")
	}
	return p, p.Validate()
}

// headless says whether a protocol has no headers.
func headless(p lab.Protocol) bool { return p == lab.TCP || p == lab.UDP }

// driver is what carries out a plan, in a process of its own with these
// variables in its environment. It returns a [lab.UsageError] for a client that
// cannot, and a [lab.UnsupportedError] for one that is not here.
func (f *planFlags) driver(ctx context.Context, p lab.Plan, env ...string) (lab.Driver, error) {
	name, err := load.Choose(ctx, f.client, p)
	if err != nil {
		return nil, err
	}
	cpus, err := load.ParseCPUs(f.cpus)
	if err != nil {
		return nil, err
	}
	return load.Process{Driver: name, CPUs: cpus, Env: append(env, kernel.QuickStart)}, nil
}

func randomSeed() uint64 {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(err) // crypto/rand.Read does not fail on Linux
	}
	// At most 32 bits: short enough to be typed again. Never 0, which asks for a random one.
	return uint64(binary.NativeEndian.Uint32(b[:])) + 1
}
