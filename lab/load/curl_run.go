package load

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/textproto"
	"os/exec"
	"strings"
	"time"

	"github.com/portlab/portlab/lab"
)

// curlReport is what curl measured, of --write-out '%{json}'. Times are in
// seconds from when curl was ready.
type curlReport struct {
	Exit      int     `json:"exitcode"`
	Message   string  `json:"errormsg"`
	Status    int     `json:"response_code"`
	LocalIP   string  `json:"local_ip"`
	LocalPort int     `json:"local_port"`
	PeerIP    string  `json:"remote_ip"`
	PeerPort  int     `json:"remote_port"`
	Connect   float64 `json:"time_connect"`
	FirstByte float64 `json:"time_starttransfer"`
	Total     float64 `json:"time_total"`
}

// request runs curl for one request, and fills the sample in.
func (c *curls) request(ctx context.Context, s *lab.Sample) {
	if c.room == nil {
		s.Target = pick(c.targets, c.loop.plan.Seed, uint64(s.Request)).address
	}
	// Should curl itself hang, it has as long again.
	bound, cancel := context.WithTimeout(ctx, 2*c.loop.plan.Timeout+time.Second)
	defer cancel()
	cmd := c.command(bound, s)
	cmd.Env = []string{"LC_ALL=C"} // what it says is read
	cmd.WaitDelay = time.Second
	said, log := &headWriter{most: maxHeaderBytes + lab.InstancePatternBytes}, &tailWriter{most: curlLog}
	cmd.Stdout, cmd.Stderr = said, log
	s.Begun = s.Due
	err := c.at.Do(ctx, cmd.Start)
	if err == nil {
		err = cmd.Wait()
	}
	s.Done = c.loop.now()
	report, e := readReport(log.bytes())
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited || e != nil {
		err = errors.Join(err, e)
		s.Fault, s.Detail = classify(err, false), detail(fmt.Errorf("run curl: %w", err))
		return
	}
	report.time(s)
	if c.room != nil {
		s.Target = report.peer()
	}
	c.judge(s, report, said.kept, log.bytes())
}

// command is curl for one request, in the room if there is one.
func (c *curls) command(ctx context.Context, s *lab.Sample) *exec.Cmd {
	if c.room != nil {
		return c.room.command(ctx, c.program, c.arguments(s)...)
	}
	return exec.CommandContext(ctx, c.program, c.arguments(s)...)
}

// curlLog is how much of what curl says of itself is kept, in bytes: the end.
const curlLog = 64 << 10

// readReport reads the last line of what curl said.
func readReport(log []byte) (curlReport, error) {
	line := log[bytes.LastIndexByte(log, '\n')+1:]
	var r curlReport
	if err := json.Unmarshal(line, &r); err != nil {
		return r, fmt.Errorf("read what it measured: %w", err)
	}
	return r, nil
}

// time puts what curl measured between its own start and the end of the sample.
func (r curlReport) time(s *lab.Sample) {
	at := func(seconds float64) time.Duration {
		return s.Begun + time.Duration(seconds*float64(time.Second))
	}
	s.Begun = max(s.Done-time.Duration(r.Total*float64(time.Second)), s.Due)
	if r.Connect > 0 {
		s.Connected = min(at(r.Connect), s.Done)
	}
	if r.Status != 0 {
		s.FirstByte = min(at(r.FirstByte), s.Done)
	}
	s.Local = endOf(r.LocalIP, r.LocalPort)
	s.Status = r.Status
}

// peer is whom curl was connected with, or tried last; invalid if nobody.
func (r curlReport) peer() netip.AddrPort { return endOf(r.PeerIP, r.PeerPort) }

// endOf is one end of a connection; invalid where curl says nothing of it.
func endOf(ip string, port int) netip.AddrPort {
	a, err := netip.ParseAddr(ip)
	if err != nil || port < 1 || port >= 1<<16 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(port))
}

// judge says how the request ended, and who answered.
func (c *curls) judge(s *lab.Sample, r curlReport, answer, log []byte) {
	if s.Connected != 0 {
		s.ClosedFirst = lab.ClientEnd
	}
	named := c.identify(s, answer)
	switch {
	case r.Exit != 0:
		s.Fault, s.Detail = curlFault(r, log), detail(fmt.Errorf("curl: (%d) %s", r.Exit, r.Message))
	case s.Status != http.StatusOK:
		s.Fault, s.Detail = lab.BadAnswer, describeStatus(s.Status)
	case named != nil:
		s.Fault, s.Detail = lab.BadAnswer, detail(named)
	}
	switch s.Fault {
	case lab.Reset:
		s.ClosedFirst = lab.ServerEnd
	case lab.ClientLimit:
		s.Detail = cmp.Or(exhaustion(systemError(log), c.ports), s.Detail)
	}
}

// identify notes who gave an answer: its header, after interim ones, and the
// beginning of its body.
func (c *curls) identify(s *lab.Sample, answer []byte) error {
	in := bufio.NewReader(bytes.NewReader(answer))
	text := textproto.NewReader(in)
	var header http.Header
	for interim := true; interim; {
		line, err := text.ReadLine()
		if err != nil {
			return nil //nolint:nilerr // there is none, and curl has said why
		}
		read, err := text.ReadMIMEHeader()
		if err != nil {
			return &malformedError{err}
		}
		header = http.Header(read)
		_, status, _ := strings.Cut(line, " ")
		interim = strings.HasPrefix(status, "1") && !strings.HasPrefix(status, "101")
	}
	body := make([]byte, lab.InstancePatternBytes)
	n, _ := io.ReadFull(in, body) // as much as there is
	return c.about.http(s, header, body[:n])
}
