package lab

import (
	"context"
	"net/netip"
	"regexp"
	"time"
)

// Plan is how load is offered. In a closed loop, each of Concurrency workers
// makes its next request when the one before has ended. In an open loop
// requests are due at a rate, whatever the answers do, and latency runs from
// the time at which they were due.
type Plan struct {
	Protocol Protocol `json:"protocol"`
	// Requests is how many are counted in all; 0: all that are due within Duration.
	Requests int `json:"requests"`
	// Duration is how long requests are due; 0: until there were Requests.
	Duration time.Duration `json:"duration_ns"`
	// Concurrency is the most requests under way at once. A request of an open
	// loop that is due when so many are waits.
	Concurrency int      `json:"concurrency"`
	Rate        float64  `json:"rate_per_s"` // of an open loop, requests per second; 0: closed loop
	Arrivals    Arrivals `json:"arrivals"`   // of an open loop
	// Ramp is how long the load takes to grow, linearly from nothing: to Rate
	// in an open loop, to Concurrency in a closed one.
	Ramp time.Duration `json:"ramp_ns"`
	// WarmUp is how long requests are made before those that count. They give
	// no samples, and times run from its end.
	WarmUp time.Duration `json:"warm_up_ns"`
	// PerConnection is how many requests are made on each connection, one after
	// the other; 0: as many as it lasts for.
	PerConnection int `json:"requests_per_connection"`
	// Streams is how many requests are under way at once on one connection of
	// HTTP/2, or from one UDP socket; 1 in other protocols.
	Streams    int           `json:"streams_per_connection"`
	CloseFirst End           `json:"closes_first"`   // who closes a connection that is done with
	Clients    int           `json:"clients"`        // source addresses, used in turn
	Timeout    time.Duration `json:"timeout_ns"`     // for one request, from its due time to the last byte
	Seed       uint64        `json:"seed"`           // of all that is random: targets, arrivals
	Path       string        `json:"path"`           // of an HTTP request, such as /?delay=5ms
	Host       string        `json:"host,omitempty"` // the Host header; empty: the target's address
	// InstanceHeader is the header of an answer that names who gave it;
	// InstancePattern is searched for in the first [InstancePatternBytes] of the body, and its
	// first group, or else the whole match, is the name. Without either, it is
	// the instrumented server's own header.
	InstanceHeader  string `json:"instance_header,omitempty"`
	InstancePattern string `json:"instance_pattern,omitempty"`
	// UntilSettled: the load ends before its planned end as soon as it is settled
	// whether the shares of connections are as claimed ([Trial.Monitor]), so that
	// they are judged by a test that allows for it.
	UntilSettled bool `json:"until_settled,omitempty"`
	// Lookup is how clients find the addresses that they dial; the zero one: they
	// are told them. [PlanFor] fills it in.
	Lookup Lookup `json:"lookup,omitzero"`
}

// DefaultPlan is a closed loop of one worker that opens a new connection for
// each request, as a loop of curl(1) does. It lacks the number of requests.
func DefaultPlan() Plan {
	return Plan{
		Protocol: HTTP1, Concurrency: 1, Arrivals: Constant, PerConnection: 1, Streams: 1,
		CloseFirst: ServerEnd, Clients: 1, Timeout: 2 * time.Second, Seed: 1, Path: "/",
	}
}

// InstancePatternBytes is how much of a body [Plan.InstancePattern] sees.
const InstancePatternBytes = 4096

// Arrivals is how the due times of an open loop are spaced.
type Arrivals string

// The kinds of arrivals.
const (
	Constant Arrivals = "constant" // evenly
	Poisson  Arrivals = "poisson"  // at random and independently, as those of many users are
)

// End is one end of a connection.
type End string

// The ends. Whoever closes first keeps the connection's addresses in TIME-WAIT
// for a minute (RFC 9293, 3.6.1).
const (
	ServerEnd End = "server"
	ClientEnd End = "client"
)

// The bounds of a plan: every load has an end.
const (
	MaxRequests    = 100_000_000
	MaxDuration    = 24 * time.Hour
	MaxConcurrency = 10_000
	MaxRate        = 10_000_000 // requests per second
	MaxClients     = 1000
)

// Open says whether the plan is an open loop.
func (p Plan) Open() bool { return p.Rate > 0 }

// Validate returns a [UsageError] for a plan that cannot be carried out.
func (p Plan) Validate() error {
	if err := p.checkAmount(); err != nil {
		return err
	}
	if err := p.checkPace(); err != nil {
		return err
	}
	if err := p.checkConnections(); err != nil {
		return err
	}
	if p.Path == "" || p.Path[0] != '/' {
		return Usagef("the path of the request must begin with /, not %q", p.Path)
	}
	if p.InstanceHeader != "" && p.InstancePattern != "" {
		return Usagef("an instance is named by a header or by a pattern of the body, not by both")
	}
	if _, err := regexp.Compile(p.InstancePattern); err != nil {
		return Usagef("the pattern of the instance: %v", err)
	}
	return nil
}

func (p Plan) checkAmount() error {
	switch {
	case p.Requests < 0 || p.Requests > MaxRequests || p.Requests == 0 && p.Duration == 0:
		return Usagef("the number of requests must be from 1 to %d, not %d", MaxRequests, p.Requests)
	case p.Duration < 0 || p.Duration > MaxDuration:
		return Usagef("the duration must be from 0s to %s, not %s", MaxDuration, p.Duration)
	case p.Timeout <= 0:
		return Usagef("the timeout must be longer than nothing, not %s", p.Timeout)
	}
	return nil
}

func (p Plan) checkPace() error {
	switch {
	case p.Concurrency < 1 || p.Concurrency > MaxConcurrency:
		return Usagef("the concurrency must be from 1 to %d, not %d", MaxConcurrency, p.Concurrency)
	case !(p.Rate >= 0 && p.Rate <= MaxRate): // NaN too
		return Usagef("the rate must be from 0 to %d requests per second, not %v", MaxRate, p.Rate)
	case p.Arrivals != Constant && p.Arrivals != Poisson:
		return Usagef("the arrivals must be %s or %s, not %q", Constant, Poisson, p.Arrivals)
	case p.Ramp < 0 || p.Ramp > MaxDuration:
		return Usagef("the ramp must be from 0s to %s, not %s", MaxDuration, p.Ramp)
	case p.WarmUp < 0 || p.WarmUp > MaxDuration:
		return Usagef("the warm-up must be from 0s to %s, not %s", MaxDuration, p.WarmUp)
	}
	return nil
}

func (p Plan) checkConnections() error {
	if err := p.Protocol.check(); err != nil {
		return err
	}
	switch {
	case p.PerConnection < 0:
		return Usagef("the requests on each connection must be at least 1, or 0 for as many as it lasts for, not %d", p.PerConnection)
	case p.Streams < 1 || p.Streams > MaxConcurrency:
		return Usagef("the streams on each connection must be from 1 to %d, not %d", MaxConcurrency, p.Streams)
	case p.Streams > 1 && p.Protocol != HTTP2 && p.Protocol != UDP:
		return Usagef("only %s and %s have several requests under way on a connection, not %s", HTTP2, UDP, p.Protocol)
	case p.CloseFirst != ServerEnd && p.CloseFirst != ClientEnd:
		return Usagef("a connection is closed first by the %s or by the %s, not by %q", ServerEnd, ClientEnd, p.CloseFirst)
	case p.Clients < 1 || p.Clients > MaxClients:
		return Usagef("the client addresses must be from 1 to %d, not %d", MaxClients, p.Clients)
	}
	return nil
}

// Driver offers load and emits samples.
type Driver interface {
	// Drive carries out the plan from a place against targets, and calls emit
	// for each counted request when it has ended, well or not. Calls of emit do
	// not overlap. It returns an error only if the load could not be offered, or
	// ctx's; a failed request is a sample with a fault. It returns a
	// [UsageError] for a plan that it cannot carry out.
	Drive(ctx context.Context, at Place, p Plan, targets []netip.AddrPort, emit func(Sample)) (Client, error)
}

// Client is what a driver says of itself after a load: whether the client, and
// not the server, was what the figures show.
type Client struct {
	Driver string `json:"driver"`
	// CPUs are those that its process was bound to, numbered as in
	// sched_setaffinity(2); none: it was not.
	CPUs []int `json:"cpus,omitempty"`
	// UserCPU and SystemCPU are the processor time of the client's own process
	// over the load, warm-up included (getrusage(2)); 0 where it had none of its own.
	UserCPU   time.Duration `json:"user_cpu_ns"`
	SystemCPU time.Duration `json:"system_cpu_ns"`
	// Late counts the requests that began more than [LateAfter] after they were
	// due though fewer than Concurrency were under way: the client itself was late.
	Late int `json:"late_requests"`
	// Queued counts the requests of an open loop that were due when Concurrency
	// were under way, and Backlog the most that waited so at once.
	Queued  int `json:"queued_requests"`
	Backlog int `json:"backlog_max_requests"`
	// ClosedFirst counts the connections that the client closed first: each
	// holds a local port in TIME-WAIT for a minute.
	ClosedFirst int `json:"closed_first_connections"`
	// Ports is how many local ports the client may use to one target from one
	// address (ip(7), ip_local_port_range); 0: unknown.
	Ports int `json:"local_ports"`
	// Machine is where the client ran if that was not this machine; else absent.
	Machine *Machine `json:"machine,omitempty"`
}

// LateAfter is the delay behind its due time from which a request counts as late.
const LateAfter = time.Millisecond

// CPU is the processor time of the client's process.
func (c Client) CPU() time.Duration { return c.UserCPU + c.SystemCPU }

// SourcePlace is a [Place] whose clients may use several source addresses.
type SourcePlace interface {
	Place
	// Sources are the addresses of one IP version that a client there may bind.
	Sources() []netip.Addr
}
