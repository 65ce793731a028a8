package lab

import (
	"net/netip"
	"time"
)

// Fault is why a request failed; empty: it did not.
type Fault string

// The faults, each named after what the client saw.
const (
	Refused        Fault = "refused"         // the connection was refused (ECONNREFUSED)
	Reset          Fault = "reset"           // the connection was reset or closed before the answer was whole
	ConnectTimeout Fault = "connect-timeout" // no connection in time
	ReadTimeout    Fault = "read-timeout"    // a connection, but no whole answer in time
	Unreachable    Fault = "unreachable"     // no route to host or network
	BadAnswer      Fault = "bad-answer"      // an answer that is no HTTP, or of a status that is not 200
	ClientLimit    Fault = "client-limit"    // the client itself ran out of ports, descriptors or memory
	Other          Fault = "other"           // anything else
)

// Faults lists them all, in the order in which they are shown.
func Faults() []Fault {
	return []Fault{Refused, Reset, ConnectTimeout, ReadTimeout, Unreachable, BadAnswer, ClientLimit, Other}
}

// Sample is one request as it happened. Times count from the start of the load.
type Sample struct {
	Request    int           // number of the request, from 0, in the order in which they were due
	Connection int           // number of the client's connection, from 0
	Due        time.Duration // when the request was due: latency runs from here
	Begun      time.Duration // when the client began it: after Due where it was late or had too many under way
	Connected  time.Duration // when the connection stood; 0 if it never did
	FirstByte  time.Duration // when the first byte of the answer came; 0 if none did
	Done       time.Duration // when the answer was whole, or the request had failed
	Local      netip.AddrPort
	Target     netip.AddrPort
	Instance   string // who answered; empty if nobody did or the answer did not say
	Status     int    // of the HTTP answer; 0 without one
	Fault      Fault
	Detail     string // what the system said of the fault
	// Duplicates counts further answers to the same request, over UDP.
	Duplicates int
	// Reordered: an answer to a later request from the same socket came before
	// this one's (RFC 4737, 3.2), over UDP.
	Reordered bool
	// ClosedFirst is who closed the connection first, if it ended with this
	// request; empty if it went on, or it is unknown.
	ClosedFirst End

	// What the replica says of itself, if it does.
	ReplicaConnection uint64         // which of its connections it answered on, from 1
	ReplicaRequest    uint64         // which request on that connection, from 1
	ReplicaSaw        netip.AddrPort // the client's address as the replica saw it
	Service           time.Duration  // the replica's own time for the answer
}

// Latency runs from the due time to the end of the request.
func (s Sample) Latency() time.Duration { return s.Done - s.Due }

// Response runs from when the client began the request: what a closed loop
// sees, and all that a client that was late did not cause.
func (s Sample) Response() time.Duration { return s.Done - s.Begun }

// OK says whether the request was answered as it should be.
func (s Sample) OK() bool { return s.Fault == "" }
