package strategies

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/step"
)

func init() { register(nginx{}) }

// nginx is the reverse proxy that most people would take, configured as its
// own documentation recommends for a load balancer.
type nginx struct{ settings settings }

func (nginx) Name() string { return "nginx" }

func (nginx) Options() []lab.Option {
	return []lab.Option{
		{Name: mode, Values: []string{modeHTTP, modeStream}, Meaning: "http reads requests; stream carries the bytes of TCP connections, and UDP"},
		methodOption(allMethods...),
		{Name: checks, Values: []string{on, off}, Meaning: "whether a replica that failed is left alone for 10 seconds; nginx looks at real requests only"},
	}
}

func (n nginx) Settings() map[string]string { return n.settings.of(n.Options()) }

func (nginx) With(changed map[string]string) lab.Strategy { return nginx{changed} }

// modeStream is the mode in which nginx reads no requests.
const modeStream = "stream"

func (n nginx) stream() bool { return n.Settings()[mode] == modeStream }

func (n nginx) About() lab.About {
	a := lab.About{
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
			"By nginx's defaults a replica that fails once gets nothing for 10 seconds, unless with checks=off; a failed request is tried at the next one.",
			"By nginx's defaults it ends a connection after 1,000 requests, lets 128 streams of HTTP/2 run at once on one, and closes a WebSocket that was silent for a minute.",
			"Replicas are asked by HTTP/1.1, also where clients speak HTTP/2.",
			hashIsOfAddress, "The hash is consistent (ketama): a replica more or fewer moves few clients, and shares are only roughly even.",
			"Weights must be whole numbers.",
			"Its workers run as root, since an image packed from the host's binary has no other user; do not copy that.",
		},
		Sources: []string{
			"https://nginx.org/en/docs/http/load_balancing.html",
			"https://nginx.org/en/docs/http/ngx_http_upstream_module.html (zone, weight, max_fails, fail_timeout, random, least_conn, hash)",
			"https://nginx.org/en/docs/http/ngx_http_v2_module.html",
			"https://nginx.org/en/docs/http/websocket.html (the Upgrade header)",
			"https://nginx.org/en/docs/stream/ngx_stream_proxy_module.html (proxy_responses)",
			"https://nginx.org/en/docs/control.html (reconfiguration by SIGHUP)",
		},
	}
	if !n.stream() {
		return a
	}
	a.Summary = "nginx as a proxy of layer 4 (its stream module)"
	a.Path = []string{
		"The front leads to nginx, one of whose two workers accepts the connection.",
		"The worker picks a replica, connects to it, and copies bytes both ways until one side closes.",
	}
	a.Caveats = []string{
		"The replica sees nginx's address; the client's is lost, unless proxy_protocol is switched on and the replica reads it.",
		"A connection stays with the replica that it was given, however many requests it carries.",
		"By nginx's defaults a replica that refuses a connection gets nothing for 10 seconds, unless with checks=off; the connection is tried at the next one.",
		hashIsOfAddress, "Weights must be whole numbers.",
		"The stream module is a package of its own in Debian and Ubuntu: libnginx-mod-stream.",
	}
	a.OverUDP = []string{
		"A session is one datagram and its one answer (proxy_responses 1, as nginx's documentation has it for DNS): each datagram takes a turn.",
	}
	return a
}

func (n nginx) Needs() lab.Needs {
	needs := lab.Needs{
		Placement: lab.OwnNetns, Null: nullOfMethod[n.Settings()[lab.Method]],
		Probes: []lab.Probe{program(n.sidecar(""), "make tools installs it")},
	}
	if n.stream() {
		needs.Probes = append(needs.Probes, lab.Probe{Name: "nginx with the stream module", Check: nginxHasStream, OfProgram: true})
	} else {
		needs.NotFor = notForLayer4()
	}
	return needs
}

// Weighted marks that the turns follow the weights.
func (nginx) Weighted() {}

// Workers is one although nginx has two: the zone has them share one turn.
func (nginx) Workers() int { return 1 }

// Trails covers the time from the signal to new workers: until then the old ones
// go by the old file.
func (nginx) Trails() time.Duration { return 500 * time.Millisecond }

func (n nginx) Steps(f lab.Facts, _ lab.Front, to []lab.Replica) ([]lab.Step, error) {
	if err := canProxy(f, to); err != nil {
		return nil, err
	}
	conf, err := n.conf(f, to)
	if err != nil {
		return nil, err
	}
	s := n.sidecar(conf)
	s.Transport = f.Transport
	return []lab.Step{step.Sidecar{Sidecar: s}}, nil
}

func (n nginx) sidecar(conf string) lab.Sidecar {
	s := lab.Sidecar{
		Name: "nginx", Program: "nginx",
		// -e keeps nginx from opening the log that it was built with.
		Args:         []string{"-e", "stderr", "-c", lab.SidecarDir + "/nginx.conf"},
		Files:        map[string]string{"nginx.conf": conf},
		ReloadSignal: syscall.SIGHUP,
		Image:        "nginx:stable",
	}
	if n.stream() {
		s.Extra = append(slices.Clone(nginxStreamLoaders), "/usr/share/nginx/modules/ngx_stream_module.so", "/usr/lib*/nginx/modules/ngx_stream_module.so")
	}
	return s
}

// nginxStreamLoaders are where Debian, Red Hat and Alpine keep the file that
// loads the stream module, where it is not part of the program. The brackets
// make a pattern of a name: nginx includes what matches, and nothing is no error.
var nginxStreamLoaders = []string{
	"/usr/share/nginx/modules-available/mod-stream[.]conf",
	"/usr/share/nginx/modules/mod-stream[.]conf",
	"/etc/nginx/modules/[0-9]*_stream[.]conf",
}

// nginxHasStream asks this machine's nginx how it was built, if there is one.
func nginxHasStream(ctx context.Context, _ lab.Host, _ lab.Family) error {
	path, err := lab.FindProgram("nginx")
	if errors.Is(err, lab.ErrUnsupported) {
		return nil // an image then, and those of nginx have the module
	}
	if err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, path, "-V").CombinedOutput()
	if err != nil {
		return fmt.Errorf("ask %s how it was built: %w", path, err)
	}
	if slices.Contains(strings.Fields(string(out)), "--with-stream") {
		return nil
	}
	for _, pattern := range nginxStreamLoaders {
		if found, err := filepath.Glob(pattern); err == nil && len(found) > 0 {
			return nil
		}
	}
	return &lab.UnsupportedError{
		What: "nginx", Reason: path + " was built without the stream module, and no file that loads it is here",
		Remedy: "make tools installs it; it is libnginx-mod-stream in Debian and Ubuntu, nginx-mod-stream in Red Hat and Alpine",
	}
}

const nginxHead = `daemon off;
user root;
worker_processes 2;
pid {dir}/nginx.pid;
error_log stderr warn;
`

const nginxEvents = `
events {
    worker_connections 4096;
}
`

const nginxHTTP = `
http {
    access_log off;
    client_body_temp_path {dir}/client_body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;

    # A request to change the protocol is passed on; all others end their connection.
    map $http_upgrade $connection_to_replica {
        default upgrade;
        ""      close;
    }
`

const nginxUpstream = `
    upstream replicas {
        # The workers share one turn; without a zone each would keep its own.
        # A server takes about 500 bytes of it.
        zone replicas 1m;
`

const nginxLocation = `
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

// nginxMethods are the directives of an upstream; to take turns needs none.
var nginxMethods = map[string]string{
	lab.MethodRandom: "random", lab.MethodLeastConn: "least_conn", lab.MethodHash: "hash $remote_addr consistent",
}

func (n nginx) conf(f lab.Facts, to []lab.Replica) (string, error) {
	servers, err := n.servers(to)
	if err != nil {
		return "", err
	}
	return n.around(f, servers), nil
}

// around is the whole configuration, around the servers of the upstream group.
func (n nginx) around(f lab.Facts, servers string) string {
	upstream := n.upstream(servers)
	var b strings.Builder
	b.WriteString(nginxHead)
	if n.stream() {
		for _, pattern := range nginxStreamLoaders {
			fmt.Fprintf(&b, "include %s;\n", pattern)
		}
		b.WriteString(nginxEvents + "\nstream {\n" + strings.TrimPrefix(upstream, "\n"))
	} else {
		b.WriteString(nginxEvents + nginxHTTP + upstream)
	}
	b.WriteString("\n    server {\n")
	for _, a := range f.SidecarListen {
		fmt.Fprintf(&b, "        listen %s%s;\n", a, n.speaks(f.Protocol))
	}
	if !n.stream() {
		b.WriteString(nginxLocation)
		return b.String()
	}
	b.WriteString("        proxy_pass replicas;\n")
	if f.Transport == "udp" {
		b.WriteString("        proxy_responses 1;\n")
	}
	b.WriteString("    }\n}\n")
	return b.String()
}

// upstream is the group of servers with its method.
func (n nginx) upstream(servers string) string {
	method := ""
	if m := nginxMethods[n.Settings()[lab.Method]]; m != "" {
		method = "        " + m + ";\n"
	}
	return nginxUpstream + method + servers + "    }\n"
}

// servers are the replicas, a line for each.
func (n nginx) servers(to []lab.Replica) (string, error) {
	var b strings.Builder
	for _, r := range to {
		weight, err := wholeWeight("nginx", r, math.MaxInt32)
		if err != nil {
			return "", err
		}
		b.WriteString(n.server(r.Address.String(), weight))
	}
	return b.String(), nil
}

// server is the line of one.
func (n nginx) server(address string, weight int) string {
	never := ""
	if n.Settings()[checks] == off {
		never = " max_fails=0"
	}
	return fmt.Sprintf("        server %s weight=%d%s;\n", address, weight, never)
}

// speaks are the parameters of a socket that speaks HTTP/2, or is of UDP. Before
// nginx 1.25.1 a socket with http2 speaks nothing else without TLS; later ones
// would rather have the directive http2, which those before do not know. With
// reuseport, each worker has a UDP socket of its own, and a client keeps to one.
func (n nginx) speaks(p lab.Protocol) string {
	switch {
	case p == lab.UDP:
		return " udp reuseport"
	case p == lab.HTTP2 && !n.stream():
		return " http2"
	}
	return ""
}
