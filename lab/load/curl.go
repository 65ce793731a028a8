package load

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/portlab/portlab/lab"
)

// Curl is a driver that runs the real curl(1) once for each request, as a
// person would in a loop. It implements lab.Driver; its zero value is ready.
//
// A request is due when its worker is free. Curl's own times run from when it
// is ready: a sample's Begun is then, so that lag is what it takes to start a
// process, and response what curl itself calls time_total. Connections are
// numbered as requests are. Curl closes each first when it has the answer,
// whatever the plan says. No file of the user's and no proxy of the environment
// counts.
type Curl struct{}

// curlName is how results name the driver.
const curlName = "curl"

// Drive carries out the plan. It returns a lab.UsageError for a plan or targets
// that make no sense or that curl cannot carry out, a lab.UnsupportedError where
// there is no curl that is new enough or the place has too few addresses, the
// error of entering the place, and ctx's error. When ctx ends, the requests
// under way are cut off and give no sample.
func (d Curl) Drive(ctx context.Context, at lab.Place, p lab.Plan, to []netip.AddrPort, emit func(lab.Sample)) (lab.Client, error) {
	if err := p.Validate(); err != nil {
		return lab.Client{}, err
	}
	if err := d.can(p); err != nil {
		return lab.Client{}, err
	}
	targets, err := newEndpoints(to, p)
	if err != nil {
		return lab.Client{}, err
	}
	sources, err := sourcesOf(at, p.Clients, targets)
	if err != nil {
		return lab.Client{}, err
	}
	program, err := findCurl(ctx)
	if err != nil {
		return lab.Client{}, err
	}
	client := lab.Client{Driver: curlName}
	if err := at.Do(ctx, func() error { client.Ports = localPorts(); return nil }); err != nil {
		return client, fmt.Errorf("enter the client's network namespace: %w", err)
	}
	c := &curls{
		loop: &loop{plan: p, begun: time.Now()}, at: at, program: program, about: newSharedAbout(p),
		targets: targets, sources: sources, ports: client.Ports,
	}
	if p.Lookup.Client != "" {
		if c.room, err = openRoom(ctx, at, p.Lookup.Server); err != nil {
			return client, err
		}
		defer c.room.close()
	}
	c.loop.emit = func(s lab.Sample) {
		if s.ClosedFirst == lab.ClientEnd {
			client.ClosedFirst++
		}
		emit(s)
	}
	var workers sync.WaitGroup
	for range min(p.Concurrency, p.Requests) {
		workers.Go(func() { c.loop.work(ctx, c.request) })
	}
	workers.Wait()
	if c.loop.emitted < p.Requests {
		return client, ctx.Err()
	}
	return client, nil
}

// can returns a lab.UsageError for what curl leaves to others.
func (Curl) can(p lab.Plan) error {
	switch {
	case p.Protocol != lab.HTTP1:
		return lab.Usagef("the client named %s speaks %s, not %s: leave --client out", curlName, lab.HTTP1, p.Protocol)
	case p.Open() || p.Requests == 0 || p.Duration > 0 || p.Ramp > 0 || p.WarmUp > 0:
		return lab.Usagef("curl makes a number of requests as fast as they are answered: leave --client out, or rate, duration, ramp and warm-up")
	case p.PerConnection != 1:
		return lab.Usagef("curl is started anew for each request, so it opens a connection for each: leave --client out, or keep-alive")
	case p.Lookup.Client != "" && p.Lookup.Client != lab.CurlClient:
		return dialsAddresses(curlName, p)
	}
	return nil
}

// The first curl that writes what it measured as JSON: --write-out, curl(1).
const curlMajor, curlMinor = 7, 70

// findCurl looks for curl where the user's commands are.
func findCurl(ctx context.Context) (string, error) {
	path, err := exec.LookPath(curlName)
	if err != nil {
		return "", &lab.UnsupportedError{
			What: "--client curl", Reason: "there is no curl: " + err.Error(), Remedy: "apt-get install curl, or leave --client out",
		}
	}
	said, err := exec.CommandContext(ctx, path, "--version").Output()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	var major, minor int
	if _, e := fmt.Sscanf(string(said), "curl %d.%d", &major, &minor); err != nil || e != nil {
		return "", fmt.Errorf("ask %s for its version: it said %.40q: %w", path, said, errors.Join(err, e))
	}
	if major < curlMajor || major == curlMajor && minor < curlMinor {
		return "", &lab.UnsupportedError{
			What: "--client curl", Reason: fmt.Sprintf("%s is curl %d.%d, and cannot write what it measured as JSON", path, major, minor),
			Remedy: fmt.Sprintf("install curl %d.%d or newer, or leave --client out", curlMajor, curlMinor),
		}
	}
	return path, nil
}

// curls is what the workers of one load share.
type curls struct {
	loop    *loop
	at      lab.Place
	program string
	targets []endpoint
	sources []address // in turn; none: as the kernel chooses
	ports   int       // as lab.Client has it
	room    *room     // where curl is told a name; nil: it is told a target

	about *sharedAbout
}

// arguments are those of one request. No shell sees them.
func (c *curls) arguments(s *lab.Sample) []string {
	p := c.loop.plan
	// A zone stands in a URL with its % encoded (RFC 6874, 2).
	host := strings.Replace(s.Target.String(), "%", "%25", 1)
	if c.room != nil {
		host = hostOf(p.Lookup, c.targets[0].address.Port())
	}
	left := max(p.Timeout-(c.loop.now()-s.Due), time.Millisecond)
	all := []string{
		"--disable", // no .curlrc; must stand first
		"--silent", "--verbose", "--globoff", "--path-as-is", "--http1.1", "--noproxy", "*",
		"--max-time", strconv.FormatFloat(left.Seconds(), 'f', 3, 64),
		"--include", "--output", "-", "--write-out", `%{stderr}\n%{json}`,
	}
	if p.Host != "" {
		all = append(all, "--header", "Host: "+p.Host)
	}
	if len(c.sources) > 0 {
		all = append(all, "--interface", "host!"+c.sources[s.Request%len(c.sources)].addrPort().Addr().String())
	}
	return append(all, "--url", "http://"+host+p.Path)
}
