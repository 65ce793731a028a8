package lab

import (
	"cmp"
	"time"
)

// SchemaVersion is that of [Result] as JSON; docs/result.schema.json describes
// it. It changes when a field changes its meaning or goes away.
const SchemaVersion = 1

// Result is what a trial came to: the object that `portlab run --format json`
// prints.
type Result struct {
	SchemaVersion int       `json:"schema_version"`
	Run           RunID     `json:"run"`
	Started       time.Time `json:"started"`
	Command       []string  `json:"command"` // that reproduces it

	Strategy string `json:"strategy"`
	// Name is that of the strategy with the settings that are not the defaults,
	// as it is typed ([FullName]); absent if it is that of the strategy alone.
	Name string `json:"name,omitempty"`
	// Settings are those of the strategy's options; absent if it has none.
	Settings map[string]string `json:"settings,omitempty"`
	Summary  string            `json:"summary"` // of the strategy, one line
	Runtime  string            `json:"runtime"`
	Vantage  Vantage           `json:"vantage"`
	Null     Null              `json:"null"` // how the strategy is meant to spread connections
	Workers  int               `json:"workers,omitempty"`
	Family   Family            `json:"ip"`
	Replicas int               `json:"replicas"`
	// Link is how replicas with a namespace of their own are linked to the host;
	// absent where that is a bridge, or was not the lab's choice.
	Link  LinkKind  `json:"link,omitempty"`
	Image string    `json:"image,omitempty"` // the user's own server
	Front Front     `json:"front"`
	Fleet []Replica `json:"fleet"`
	Plan  Plan      `json:"plan"`
	// Impairments are what the path between the external client and the host did
	// to packets, each from its time on; absent where it did nothing.
	Impairments []TimedImpairment `json:"impairments,omitempty"`

	Connections int              `json:"connections"`
	Requests    int              `json:"requests"`
	Faults      map[Fault]int    `json:"faults"`
	Elapsed     time.Duration    `json:"elapsed_ns"` // of the load
	Latency     Quantiles        `json:"latency"`
	Connect     Quantiles        `json:"connect"`
	FirstByte   Quantiles        `json:"first_byte"`
	Instances   []InstanceResult `json:"instances"`
	// CountedOutside: the connections were counted in the replicas' network
	// namespaces, because the answers do not say who gave them.
	CountedOutside bool `json:"counted_outside"`
	// ClientAddress says what the replicas saw of the client's address.
	ClientAddress ClientAddress `json:"client_address"`

	Response   Quantiles `json:"response"`   // from when the client began a request, where latency runs from when it was due
	Lag        Quantiles `json:"lag"`        // from when a request was due to when the client began it
	Service    Quantiles `json:"service"`    // the replica's own time for the answer
	Duplicates int       `json:"duplicates"` // further answers to the same request, over UDP
	Reordered  int       `json:"reordered"`  // answers that came after one to a later request, over UDP
	Client     Client    `json:"client"`
	// Cost is what the load took of processors and memory; absent where the
	// fleet cannot say.
	Cost *Cost `json:"cost,omitempty"`
	// Warnings say what casts doubt on the figures, one sentence each.
	Warnings []string `json:"warnings"`

	Verdicts []Verdict `json:"verdicts"`
	// Behaviour is what the balancer seems to do; absent where that was not asked.
	Behaviour   *Behaviour  `json:"behaviour,omitempty"`
	Environment Environment `json:"environment"`
	Timings     Timings     `json:"timings_ns"`

	Path    []string `json:"path"`    // of a packet, hop by hop
	Caveats []string `json:"caveats"` // what a reader must know
	Shell   []string `json:"shell"`   // the same by hand
	Undo    []string `json:"undo"`    // and back
	Sources []string `json:"sources"` // where the mechanism is documented
}

// NoRuntime stands in a [Result] for a runtime where the lab set nothing up: load
// was offered to a server that ran already.
const NoRuntime = "none"

// InstanceResult is one replica's part of a [Result].
type InstanceResult struct {
	Name        string    `json:"name"`
	Connections int       `json:"connections"`
	Requests    int       `json:"requests"`
	Share       float64   `json:"share"`
	Expected    float64   `json:"expected_share"`
	Latency     Quantiles `json:"latency"`
	Clients     []string  `json:"clients"` // addresses that it saw, at most 10
}

// ClientAddress is what the replicas saw of the client's address.
type ClientAddress string

// The kinds of client address.
const (
	AddressKept    ClientAddress = "kept"    // every replica saw the client's own
	AddressLost    ClientAddress = "lost"    // some saw another
	AddressUnknown ClientAddress = "unknown" // the answers do not say
)

// Timings is where the wall time of a run went.
type Timings struct {
	Total  time.Duration `json:"total"`
	Sweep  time.Duration `json:"sweep"`  // looking for dead runs and taking them away
	Open   time.Duration `json:"open"`   // host and replicas, until each was ready
	Expose time.Duration `json:"expose"` // the strategy's steps
	Probe  time.Duration `json:"probe"`  // until the front answered
	Load   time.Duration `json:"load"`
	Judge  time.Duration `json:"judge"`
	Revert time.Duration `json:"revert"` // the steps
	Close  time.Duration `json:"close"`  // replicas and host
}

// FullName is the strategy's name with the settings that are not the defaults.
func (r *Result) FullName() string { return cmp.Or(r.Name, r.Strategy) }

// Fold puts what samples say into the result: the part of it that can be
// computed again from the raw data. Accepted holds the connections counted
// from outside, if they had to be; else it is nil.
func (r *Result) Fold(samples Samples, accepted map[string]uint64) Measurement {
	m := Measure(samples, r.Fleet)
	if accepted != nil {
		m.CountFromOutside(accepted)
	}
	r.Connections, r.Requests, r.Faults = m.Connections, m.Requests, m.Faults
	r.Elapsed, r.Latency, r.Connect, r.FirstByte = m.Elapsed, m.Latency, m.Connect, m.FirstByte
	r.Response, r.Service, r.Lag = m.Response, m.Service, m.Lag
	r.Duplicates, r.Reordered = m.Duplicates, m.Reordered
	r.CountedOutside = m.Outside
	r.ClientAddress = m.Address
	r.Warnings = r.warnings(m, samples)
	r.Instances = nil
	for _, in := range m.Instances {
		r.Instances = append(r.Instances, InstanceResult{
			Name: in.Name, Connections: in.Connections, Requests: in.Requests,
			Share: in.Share, Expected: in.Expected, Latency: in.Latency,
			Clients: append([]string{}, in.Clients...),
		})
	}
	return m
}

// Accepted gives back the counts taken from outside, or nil if there were none.
func (r *Result) Accepted() map[string]uint64 {
	if !r.CountedOutside {
		return nil
	}
	accepted := map[string]uint64{}
	for _, in := range r.Instances {
		accepted[in.Name] = uint64(in.Connections)
	}
	return accepted
}

// Refuted says whether a claim that was asked for was refuted.
func (r *Result) Refuted() bool {
	for _, v := range r.Verdicts {
		if v.Asked && v.Outcome == Refuted {
			return true
		}
	}
	return false
}
