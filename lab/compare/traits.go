package compare

// The names of the traits.
const (
	TraitBalance     = "balance"
	TraitLatency     = "latency"
	TraitThroughput  = "throughput"
	TraitCPU         = "cpu"
	TraitKill        = "kill"
	TraitChange      = "change"
	TraitAddress     = "address"
	TraitLocalhost   = "localhost"
	TraitHairpin     = "hairpin"
	TraitKeepAlive   = "keep-alive"
	TraitHTTP2       = "http2"
	TraitWebSocket   = "websocket"
	TraitTCP         = "tcp"
	TraitUDP         = "udp"
	TraitIPv6        = "ipv6"
	TraitRoot        = "root"
	TraitApplication = "application"
	TraitWarned      = "warned"
)

// The answers of a [Trait] that is no quantity.
const (
	Yes     = "yes"
	No      = "no"
	Unknown = "cannot tell"
)

// Kind is one of the traits: what it is called, and how it is found.
type Kind struct {
	Name  string // in a [Trait]
	Title string // heads a column
	How   string // one sentence
}

// Traits lists what is found out about each arm, in the order in which it is
// shown. The first four come from the rounds; those after them from short runs
// of their own, each with a report; the last three are what a strategy declares,
// since nothing that runs as root shows that root is needed.
func Traits() []Kind {
	return []Kind{
		{TraitBalance, "balance", "From the connections of all rounds: how far the share of any replica may be from an equal one, relative to it (Goodman's simultaneous 95% intervals)."},
		{TraitLatency, "latency", "From the rounds: the median latency, as a ratio to the first baseline within a round."},
		{TraitThroughput, "throughput", "From the rounds: the median of the requests per second."},
		{TraitCPU, "CPU", "From the rounds: processor time of client, path and replicas together, for each request."},
		{TraitKill, "lost after a kill", "One of the replicas is killed (SIGKILL) and no rule is changed: the share of the requests afterwards that fail."},
		{TraitChange, "lost in a change", "Under an open loop, one replica leaves and then another joins, and the exposure follows: the share of all requests that fail."},
		{TraitAddress, "client address", "Four client addresses call: do the replicas see each one's own?"},
		{TraitLocalhost, "from localhost", "The host calls 127.0.0.1 (::1 over IPv6): is every request answered?"},
		{TraitHairpin, "hairpin", "A replica calls the front: is every request answered?"},
		{TraitKeepAlive, "keep-alive spread", "Twenty requests on each kept connection: does more than one replica answer on it? If not, a client that keeps its connection is pinned."},
		{TraitHTTP2, "HTTP/2", "HTTP/2 in clear text: is every request answered?"},
		{TraitWebSocket, "WebSocket", "WebSocket: is every message answered?"},
		{TraitTCP, "plain TCP", "A line each way on plain TCP: is every one answered?"},
		{TraitUDP, "UDP", "A datagram each way: is every one answered?"},
		{TraitIPv6, "IPv6", "The same load over IPv6: is every request answered?"},
		{TraitRoot, "needs root", "Declared by the strategy: its steps change the host's network."},
		{TraitApplication, "needs the application", "Declared by the strategy: what the application must do or be told."},
		{TraitWarned, "comes with a warning", "Declared by the strategy: it must not be used without a word of warning."},
	}
}

// TraitsOf gives what was found of one trait of one arm. It is one [Trait], or
// more where it was looked at more than once.
func (c *Comparison) TraitsOf(arm, name string) []Trait {
	var all []Trait
	for _, t := range c.Traits {
		if t.Arm == arm && t.Name == name {
			all = append(all, t)
		}
	}
	return all
}

// Contradicted says whether a trait was found with more than one answer.
func Contradicted(found []Trait) bool {
	for _, t := range found {
		if t.Answer != found[0].Answer {
			return true
		}
	}
	return false
}
