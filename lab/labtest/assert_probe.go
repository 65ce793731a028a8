package labtest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The bounds of a [Probe].
const (
	maxProbes  = 100_000
	probeBytes = 4096 // of a body that are read for a name
)

// Probing says how [Probe] asks. The zero value makes 300 requests and takes
// the whole body for the name of who answered.
type Probing struct {
	Requests int // 0: 300; at most 100,000
	// Header of an answer that names its instance, such as X-Served-By.
	Header string
	// Pattern is searched for in the first 4,096 bytes of the body, where no
	// Header is given; its first group, or else the whole match, is the name.
	// Empty: the whole body, without space around it.
	Pattern string
	// Instances are the names of all, so that one that never answers is a zero;
	// none: those that answer.
	Instances []string
	Timeout   time.Duration // of one request; 0: 2 s
	Within    time.Duration // of all together; 0: 30 s
}

// Counts are how many connections each instance answered.
type Counts struct {
	Names       []string // of the instances: those given, else those that answered, sorted
	Connections []int    // one for each name
}

// Probe asks a URL again and again, each time on a new connection and one at a
// time, and counts who answered. It fails t if a request fails, if an answer is
// not of status 200 or does not say who gave it, and if an instance answers that
// is not among those given; these do not count. It is for [AssertBalanced], at
// servers of one's own: it sends no more than it is told to, and redirects are
// not followed.
func Probe(t TB, url string, p Probing) Counts {
	t.Helper()
	pr, err := p.prober(url)
	if err != nil {
		t.Fatalf("labtest: %v", err)
		return Counts{}
	}
	defer pr.client.CloseIdleConnections()
	ctx, end := context.WithTimeout(context.Background(), pr.Within)
	defer end()
	pr.run(ctx)
	if pr.failed > 0 {
		t.Errorf("%d of %d requests to %s failed; the first: %v", pr.failed, pr.asked, url, pr.first)
	}
	if pr.asked < pr.Requests {
		t.Errorf("%s was asked %d times in %s, not %d times: give Probing.Within more time, or ask less", url, pr.asked, pr.Within, pr.Requests)
	}
	if n := len(pr.seen); n > 10 && n > pr.asked/2 && len(p.Instances) == 0 {
		t.Errorf("%d answers to %s name %d instances: what was taken for a name changes from one to the next; give Probing.Header or Probing.Pattern", pr.asked, url, n)
	}
	return pr.counts()
}

// prober is a Probe on its way.
type prober struct {
	Probing
	url     string
	client  *http.Client
	pattern *regexp.Regexp
	seen    map[string]int // answers, by who gave them
	asked   int
	failed  int
	first   error // of those that failed
}

func (p Probing) prober(url string) (*prober, error) {
	if p.Requests == 0 {
		p.Requests = 300
	}
	if p.Timeout == 0 {
		p.Timeout = 2 * time.Second
	}
	if p.Within == 0 {
		p.Within = 30 * time.Second
	}
	if p.Requests < 1 || p.Requests > maxProbes || p.Timeout < 0 || p.Within < 0 {
		return nil, fmt.Errorf("a probe makes 1 to %d requests in a time above 0, not %d in %s", maxProbes, p.Requests, p.Within)
	}
	if p.Header != "" && p.Pattern != "" {
		return nil, fmt.Errorf("an instance is named by a header or by a pattern of the body, not by both")
	}
	pattern, err := regexp.Compile(p.Pattern)
	if err != nil {
		return nil, fmt.Errorf("the pattern of the instance: %w", err)
	}
	if _, err := http.NewRequest(http.MethodGet, url, nil); err != nil { //nolint:noctx // it is not sent
		return nil, err
	}
	pr := &prober{Probing: p, url: url, pattern: pattern, seen: map[string]int{}}
	pr.client = &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       p.Timeout,
	}
	return pr, nil
}

// run asks until all is asked, or ctx ends.
func (p *prober) run(ctx context.Context) {
	for ; p.asked < p.Requests && ctx.Err() == nil; p.asked++ {
		if err := p.ask(ctx); err != nil {
			if p.failed++; p.first == nil {
				p.first = err
			}
		}
	}
}

// ask makes one request and counts who answered.
func (p *prober) ask(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	if err != nil {
		return err
	}
	answer, err := p.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, probeBytes))
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", answer.Status)
	}
	name := p.name(answer.Header, body)
	if name == "" {
		return fmt.Errorf("the answer does not say who gave it: %q", body[:min(len(body), 80)])
	}
	if len(p.Instances) > 0 && !slices.Contains(p.Instances, name) {
		return fmt.Errorf("%q answered, which is none of %s", name, strings.Join(p.Instances, ", "))
	}
	p.seen[name]++
	return nil
}

// name is who gave an answer; empty if it does not say.
func (p *prober) name(header http.Header, body []byte) string {
	if p.Header != "" {
		return header.Get(p.Header)
	}
	if p.Pattern == "" {
		return strings.TrimSpace(string(body))
	}
	m := p.pattern.FindSubmatch(body)
	if m == nil {
		return ""
	}
	return string(m[min(1, len(m)-1)])
}

func (p *prober) counts() Counts {
	c := Counts{Names: slices.Clone(p.Instances)}
	if len(c.Names) == 0 {
		for name := range p.seen {
			c.Names = append(c.Names, name)
		}
		slices.Sort(c.Names)
	}
	for _, name := range c.Names {
		c.Connections = append(c.Connections, p.seen[name])
	}
	return c
}
