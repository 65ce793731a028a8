package servers

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/portlab/portlab/servers/wire"
)

// The line protocol, over TCP, UDP and WebSocket. A request is
//
//	portlab ID PATH [close]
//
// where ID is a number up to 2^63-1 of the client's own, and PATH begins with a
// slash and may have a query as over HTTP. With close, the server closes a TCP
// connection behind the answer, as with "Connection: close" over HTTP. The answer is ID and the value of
// the header of package wire, and with ?body=N a space and N bytes x. Where a
// request cannot be read, it is ID (0 if that is what cannot be read), the word
// error, and what is wrong. Requests and answers end in a line feed; a datagram
// or a message may do without. Any path is greeted: /healthz and /metrics mean
// nothing here.
const (
	linePrefix = "portlab "
	lineSuffix = " close"
	maxLine    = 4096 // bytes of a request, with its line feed
)

// padding is what an answer of the line protocol is padded with.
var padding = []byte("x")

// lineRequest is a request of the line protocol, or why it is none.
type lineRequest struct {
	id   uint64
	work work
	last bool // on its connection
	bad  error
}

func parseLine(line []byte) lineRequest {
	line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	rest, ok := bytes.CutPrefix(line, []byte(linePrefix))
	if !ok {
		return lineRequest{bad: errors.New(`a request is "portlab ID PATH", such as "portlab 1 /?delay=5ms"`)}
	}
	word, path, _ := bytes.Cut(rest, []byte(" "))
	id, err := strconv.ParseUint(string(word), 10, 63)
	if err != nil {
		return lineRequest{bad: fmt.Errorf("the ID must be a number from 0 to 2^63-1, not %.40q", word)}
	}
	r := lineRequest{id: id}
	path, r.last = bytes.CutSuffix(path, []byte(lineSuffix))
	if len(path) == 0 || path[0] != '/' || bytes.ContainsFunc(path, unfit) {
		r.bad = fmt.Errorf("the path must begin with / and have no spaces or control characters, not %.40q", path)
		return r
	}
	_, query, _ := bytes.Cut(path, []byte("?"))
	r.work, r.bad = parseWork(string(query), 0)
	return r
}

// unfit says whether a character may not be in a path.
func unfit(r rune) bool { return r <= ' ' || r == 0x7f }

// answer does the work of a request and writes the answer, unless ctx ends
// before; then it returns its error. What goes wrong with w is w's to say.
func (s *Server) answer(ctx context.Context, w io.Writer, c *connection, r lineRequest) error {
	begun := time.Now()
	s.metrics.inFlight.Inc()
	defer s.metrics.inFlight.Dec()
	a := wire.Answer{Instance: s.config.Instance, Connection: c.number, Request: c.requests.Add(1), Client: c.client}
	if r.bad != nil {
		fmt.Fprintf(w, "%d error %v\n", r.id, r.bad)
		s.metrics.answered(http.StatusBadRequest, time.Since(begun))
		return nil
	}
	if err := pass(ctx, r.work.delay); err != nil {
		s.metrics.answered(statusClientClosed, time.Since(begun))
		return err
	}
	a.Service = time.Since(begun)
	value, err := a.Encode()
	if err != nil {
		return err // only where the name or the address were not checked before
	}
	var head [128]byte
	line := append(strconv.AppendUint(head[:0], r.id, 10), ' ')
	line = append(line, value...)
	if r.work.body > 0 {
		_, _ = w.Write(append(line, ' '))
		writeBody(w, padding, r.work.body)
		line = line[:0]
	}
	_, _ = w.Write(append(line, '\n'))
	s.metrics.answered(http.StatusOK, a.Service)
	return nil
}

// pass waits for d, or returns ctx's error.
func pass(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// readLine reads a line with its line feed, which is valid until the next one.
// One that is too long gives a request that says so, and the error.
func readLine(in *bufio.Reader) (lineRequest, error) {
	line, err := in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return lineRequest{bad: errLongLine}, err
	}
	return parseLine(line), err
}

var errLongLine = fmt.Errorf("a request has at most %d bytes", maxLine)
