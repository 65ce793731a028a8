package load

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Bounds of one answer. Its headers, interim ones included, are kept in memory
// while they are read; its body never is.
const (
	maxHeaderBytes = 1 << 20  // 1 MiB
	maxBodyBytes   = 64 << 20 // 64 MiB
)

// maxInterim is how many interim answers (RFC 9110, 15.2) may precede the final one.
const maxInterim = 10

var (
	errTooLong     = fmt.Errorf("the answer has more than %d MiB of header or %d MiB of body", maxHeaderBytes>>20, maxBodyBytes>>20)
	errInterim     = fmt.Errorf("more than %d interim answers", maxInterim)
	errClosedEarly = errors.New("closed before the answer was whole")
)

// malformedError is an answer that is no HTTP/1.1 (RFC 9112).
type malformedError struct{ err error }

func (e *malformedError) Error() string { return e.err.Error() }
func (e *malformedError) Unwrap() error { return e.err }

// answerHead is what is kept of an answer.
type answerHead struct {
	status int
	header http.Header
}

// answerReader reads one HTTP answer. It notes when its first byte came and
// what ended it, so that a fault of the connection can be told from one of the
// answer, whatever the parser makes of it.
type answerReader struct {
	buffer *bufio.Reader
	from   io.Reader
	now    func() time.Duration
	first  time.Duration // when the first byte came; 0 if none did
	left   int           // bytes that may still come
	end    error         // the first error of from; io.EOF if it was closed
}

func newAnswerReader(now func() time.Duration) *answerReader {
	r := &answerReader{now: now}
	r.buffer = bufio.NewReader(nil)
	return r
}

// Read implements io.Reader for the parser.
func (r *answerReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, errTooLong
	}
	n, err := r.from.Read(p[:min(len(p), r.left)])
	if n > 0 && r.first == 0 {
		r.first = r.now()
	}
	r.left -= n
	if r.end == nil {
		r.end = err
	}
	return n, err
}

// read reads one answer from a connection, to its last byte. It returns the
// head also beside an error, once it was whole, and nil before. The errors are
// those of the connection, errClosedEarly, errTooLong, or a malformedError.
func (r *answerReader) read(from io.Reader) (*answerHead, error) {
	r.from, r.first, r.left, r.end = from, 0, maxHeaderBytes, nil
	r.buffer.Reset(r)
	answer, err := r.final()
	if err != nil {
		return nil, r.why(err)
	}
	r.left = maxBodyBytes
	return &answerHead{answer.StatusCode, answer.Header}, r.why(drain(answer))
}

// final reads the header of the final answer.
func (r *answerReader) final() (*http.Response, error) {
	for range maxInterim + 1 {
		answer, err := http.ReadResponse(r.buffer, nil)
		if err != nil {
			return nil, err
		}
		if answer.StatusCode >= http.StatusOK || answer.StatusCode == http.StatusSwitchingProtocols {
			return answer, nil
		}
	}
	return nil, errInterim
}

func drain(answer *http.Response) error {
	_, err := io.Copy(io.Discard, answer.Body)
	return errors.Join(err, answer.Body.Close())
}

// why finds what is behind an error of the parser.
func (r *answerReader) why(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errTooLong):
		return errTooLong
	case errors.Is(r.end, io.EOF):
		return errClosedEarly
	case r.end != nil:
		return r.end
	}
	return &malformedError{err}
}

// closed says whether the server has closed already.
func (r *answerReader) closed() bool { return errors.Is(r.end, io.EOF) }
