package strategies

import (
	"fmt"
	"math"
	"strings"
	"syscall"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/step"
)

func init() { register(nginx{}) }

// nginx is the reverse proxy that most people would take, configured as its
// own documentation recommends for a load balancer.
type nginx struct{}

func (nginx) Name() string { return "nginx" }

func (nginx) About() lab.About {
	return lab.About{
		Summary: "nginx as a reverse proxy, in turn by weighted round robin",
		Path: []string{
			"The front leads to nginx, one of whose two workers accepts the connection and reads the request.",
			"The worker takes the replica whose turn it is, by a turn that both workers share, and connects to it.",
			"It sends the request over that connection, copies the answer back, and closes the connection.",
		},
		Caveats: []string{
			"The replica sees nginx's address; the client's is in the X-Forwarded-For header.",
			turnIsOfRequests, webSocketIsOne,
			"Connections to replicas are not kept alive, so that one of a client's is one of a replica's; keepalive would be faster.",
			"By nginx's defaults a replica that fails once gets nothing for 10 seconds, and a failed request is tried at the next one.",
			"By nginx's defaults it ends a connection after 1,000 requests, lets 128 streams of HTTP/2 run at once on one, and closes a WebSocket that was silent for a minute.",
			"Replicas are asked by HTTP/1.1, also where clients speak HTTP/2.",
			"Weights must be whole numbers.",
			"Its workers run as root, since an image packed from the host's binary has no other user; do not copy that.",
		},
		Sources: []string{
			"https://nginx.org/en/docs/http/load_balancing.html",
			"https://nginx.org/en/docs/http/ngx_http_upstream_module.html (zone, weight, max_fails, fail_timeout)",
			"https://nginx.org/en/docs/http/ngx_http_v2_module.html",
			"https://nginx.org/en/docs/http/websocket.html (the Upgrade header)",
			"https://nginx.org/en/docs/control.html (reconfiguration by SIGHUP)",
		},
	}
}

// Needs has no probe: where this machine has no nginx, a runtime may have an image.
func (nginx) Needs() lab.Needs {
	return lab.Needs{Placement: lab.OwnNetns, Null: lab.RoundRobin, NotFor: notForLayer4()}
}

// Weighted marks that the turns follow the weights.
func (nginx) Weighted() {}

// Workers is one although nginx has two: the zone has them share one turn.
func (nginx) Workers() int { return 1 }

func (nginx) Steps(f lab.Facts, _ lab.Front, to []lab.Replica) ([]lab.Step, error) {
	if err := canProxy(f, to); err != nil {
		return nil, err
	}
	conf, err := nginxConf(f, to)
	if err != nil {
		return nil, err
	}
	return []lab.Step{step.Sidecar{Sidecar: lab.Sidecar{
		Name: "nginx", Program: "nginx",
		// -p makes the configuration's relative paths those of its own folder;
		// -e keeps nginx from opening the log that it was built with.
		Args:         []string{"-p", lab.SidecarDir + "/", "-e", "stderr", "-c", lab.SidecarDir + "/nginx.conf"},
		Files:        map[string]string{"nginx.conf": conf},
		ReloadSignal: syscall.SIGHUP,
		Image:        "nginx:stable",
	}}}, nil
}

// nginxHead and nginxTail stand around the servers and the addresses. Relative
// paths are below the folder given by -p.
const nginxHead = `daemon off;
user root;
worker_processes 2;
pid nginx.pid;
error_log stderr warn;

events {
    worker_connections 4096;
}

http {
    access_log off;
    client_body_temp_path client_body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;

    # A request to change the protocol is passed on; all others end their connection.
    map $http_upgrade $connection_to_replica {
        default upgrade;
        ""      close;
    }

    upstream replicas {
        # The workers share one turn; without a zone each would keep its own.
        # A server takes about 500 bytes of it.
        zone replicas 1m;
`

const nginxTail = `
        location / {
            proxy_pass http://replicas;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_to_replica;
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }
    }
}
`

func nginxConf(f lab.Facts, to []lab.Replica) (string, error) {
	var b strings.Builder
	b.WriteString(nginxHead)
	for _, r := range to {
		if r.Weight != math.Trunc(r.Weight) || !(r.Weight >= 1 && r.Weight <= math.MaxInt32) {
			return "", lab.Usagef("nginx takes whole numbers as weights, such as 3,1, not %v", r.Weight)
		}
		fmt.Fprintf(&b, "        server %s weight=%d;\n", r.Address, int(r.Weight))
	}
	b.WriteString("    }\n\n    server {\n")
	for _, a := range f.SidecarListen {
		fmt.Fprintf(&b, "        listen %s%s;\n", a, speaks(f.Protocol))
	}
	b.WriteString(nginxTail)
	return b.String(), nil
}

// speaks is the parameter by which a socket speaks HTTP/2. Before nginx 1.25.1
// such a socket speaks nothing else without TLS; later ones would rather have
// the directive http2, which those before do not know.
func speaks(p lab.Protocol) string {
	if p == lab.HTTP2 {
		return " http2"
	}
	return ""
}
