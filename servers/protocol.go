package servers

import "fmt"

// Protocol is what an http_server speaks beside HTTP.
type Protocol string

// The protocols. HTTP means HTTP/1.1, HTTP/2 with prior knowledge (RFC 9113,
// 3.3) and WebSocket (RFC 6455) on one TCP port, and goes on in the others.
const (
	HTTP Protocol = "http"
	TCP  Protocol = "tcp" // connections that begin with a line of the line protocol speak that
	UDP  Protocol = "udp" // datagrams to the UDP port of the same number are answered
)

// protocol reads the value of PROTOCOL. The protocols of clients that an
// http_server speaks in any case are HTTP here.
func protocol(word string) (Protocol, error) {
	switch word {
	case string(TCP), string(UDP):
		return Protocol(word), nil
	case string(HTTP), "http1", "http2", "websocket":
		return HTTP, nil
	}
	return "", fmt.Errorf("PROTOCOL must be http, tcp or udp (http1, http2 and websocket mean http), not %q", word)
}
