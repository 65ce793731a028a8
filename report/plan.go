package report

import (
	"fmt"
	"strings"

	"github.com/portlab/portlab/lab"
)

// load says how a plan offers it. What is as by default goes without saying.
func load(p lab.Plan) string {
	parts := append([]string{loop(p), amount(p)}, pace(p)...)
	if p.UntilSettled {
		parts[1] = "until the shares are settled, at most " + parts[1]
	}
	if p.PerConnection != 1 {
		parts = append(parts, perConnection(p))
	}
	if p.Streams > 1 {
		parts = append(parts, fmt.Sprintf("%s at a time on each", whole(p.Streams)))
	}
	if p.CloseFirst == lab.ClientEnd {
		parts = append(parts, "closed by the client first")
	}
	if p.Clients > 1 {
		parts = append(parts, fmt.Sprintf("from %s addresses", whole(p.Clients)))
	}
	return strings.Join(append(parts, fmt.Sprintf("timeout %s", p.Timeout), asks(p)), ", ")
}

func loop(p lab.Plan) string {
	if p.Open() {
		return "open loop"
	}
	return "closed loop"
}

// amount says how many requests are to be made.
func amount(p lab.Plan) string {
	switch {
	case p.Requests == 0:
		return fmt.Sprintf("requests for %s", p.Duration)
	case p.Duration == 0:
		return plural(p.Requests, "request")
	}
	return fmt.Sprintf("%s or those of %s, whichever ends first", plural(p.Requests, "request"), p.Duration)
}

// pace says when requests are due.
func pace(p lab.Plan) []string {
	parts := []string{plural(p.Concurrency, "worker")}
	if p.Open() {
		spaced := "evenly spaced"
		if p.Arrivals == lab.Poisson {
			spaced = "at random times (Poisson)"
		}
		parts = []string{rate(p.Rate) + " a second", spaced, "at most " + whole(p.Concurrency) + " at a time"}
	}
	if p.Ramp > 0 {
		parts = append(parts, fmt.Sprintf("growing over %s", p.Ramp))
	}
	if p.WarmUp > 0 {
		parts = append(parts, fmt.Sprintf("after a warm-up of %s", p.WarmUp))
	}
	return parts
}

func rate(perSecond float64) string {
	if n := int(perSecond); float64(n) == perSecond {
		return whole(n)
	}
	return figure(perSecond, 7)
}

// perConnection says how requests share connections or, over UDP, sockets.
func perConnection(p lab.Plan) string {
	on, kept, of := "on", "on connections that are kept", "connection"
	if p.Protocol == lab.UDP {
		on, kept, of = "from", "from sockets that are kept", "socket"
	}
	switch p.PerConnection {
	case 0:
		return kept
	case 1:
		return fmt.Sprintf("each %s a new %s", on, of)
	}
	return fmt.Sprintf("%s %s each %s", whole(p.PerConnection), on, of)
}

// asks says what a request is.
func asks(p lab.Plan) string {
	switch p.Protocol {
	case lab.HTTP2:
		return "GET " + p.Path + " over HTTP/2"
	case lab.TCP:
		return "a line for " + p.Path + " over TCP"
	case lab.UDP:
		return "a datagram for " + p.Path
	case lab.WebSocket:
		return "a WebSocket message for " + p.Path
	}
	return "GET " + p.Path
}

// plain says whether a plan is a closed loop of HTTP/1.1 on new connections,
// of which nothing need be said.
func plain(p lab.Plan) bool {
	d := lab.DefaultPlan()
	d.Requests, d.Concurrency, d.Timeout, d.Seed, d.Path = p.Requests, p.Concurrency, p.Timeout, p.Seed, p.Path
	d.Host, d.InstanceHeader, d.InstancePattern = p.Host, p.InstanceHeader, p.InstancePattern
	return p == d || p.Protocol == ""
}
