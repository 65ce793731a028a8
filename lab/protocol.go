package lab

import "strings"

// Protocol is what clients and replicas speak.
type Protocol string

// The protocols.
const (
	HTTP1     Protocol = "http1"     // HTTP/1.1 (RFC 9112)
	HTTP2     Protocol = "http2"     // HTTP/2 in clear text with prior knowledge (RFC 9113, 3.3)
	TCP       Protocol = "tcp"       // a line to ask and a line to answer on a TCP connection
	UDP       Protocol = "udp"       // a datagram to ask and a datagram to answer
	WebSocket Protocol = "websocket" // a message to ask and a message to answer (RFC 6455)
)

// Protocols lists them all, in the order in which they are shown.
func Protocols() []Protocol { return []Protocol{HTTP1, HTTP2, TCP, UDP, WebSocket} }

// Transport is the protocol below: "tcp" or "udp", as iptables(8) and the
// port of a container have it.
func (p Protocol) Transport() string {
	if p == UDP {
		return "udp"
	}
	return "tcp"
}

// ParseProtocol returns a [UsageError] with the possible words for any other.
func ParseProtocol(word string) (Protocol, error) {
	p := Protocol(word)
	return p, p.check()
}

func (p Protocol) check() error {
	var words []string
	for _, known := range Protocols() {
		if p == known {
			return nil
		}
		words = append(words, string(known))
	}
	return Usagef("the protocol must be one of %s, not %q", strings.Join(words, ", "), p)
}

// Server is the word by which the instrumented server is told what to speak,
// in its environment's PROTOCOL: what is not a line or a datagram is HTTP.
func (p Protocol) Server() string {
	if p == TCP || p == UDP {
		return string(p)
	}
	return "http"
}
