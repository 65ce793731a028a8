package load

import (
	"bytes"
	"syscall"

	"github.com/portlab/portlab/lab"
)

// The exit statuses of curl that tell a fault: EXIT CODES, curl(1).
const (
	curlUnsupported = 1  // what came is no HTTP/1.1 either: HTTP/0.9
	curlNoConnect   = 7  // no connection
	curlWeird       = 8  // an answer that it cannot read
	curlPartial     = 18 // the end before the end
	curlNoMemory    = 27
	curlTimeout     = 28
	curlInterface   = 45 // the source address
	curlEmpty       = 52 // closed before the answer
	curlSend        = 55
	curlReceive     = 56
	curlEncoding    = 61
	curlTooLong     = 63
)

// curlFault names the fault of a request by how curl ended. Why there was no
// connection, only the system's own words in its log tell.
func curlFault(r curlReport, log []byte) lab.Fault {
	switch r.Exit {
	case curlNoConnect, curlInterface:
		if code := systemError(log); code != 0 {
			return classify(code, false)
		}
		return lab.Refused
	case curlTimeout:
		return classify(syscall.ETIMEDOUT, r.Connect > 0)
	case curlPartial, curlEmpty, curlSend, curlReceive:
		return lab.Reset
	case curlUnsupported, curlWeird, curlEncoding, curlTooLong:
		return lab.BadAnswer
	case curlNoMemory:
		return lab.ClientLimit
	}
	return lab.Other
}

// systemError finds what the system said of a connection that did not come to
// be; 0: nothing that is known.
func systemError(log []byte) syscall.Errno {
	for _, code := range []syscall.Errno{
		syscall.ECONNREFUSED, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EADDRNOTAVAIL,
		syscall.ECONNRESET, syscall.ETIMEDOUT, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS,
	} {
		// Package syscall writes them in small letters, strerror(3) does not.
		if bytes.Contains(bytes.ToLower(log), []byte(code.Error())) {
			return code
		}
	}
	return 0
}

// headWriter keeps the first bytes that are written to it.
type headWriter struct {
	most int
	kept []byte
}

// Write implements io.Writer. It never fails.
func (w *headWriter) Write(p []byte) (int, error) {
	w.kept = append(w.kept, p[:min(len(p), w.most-len(w.kept))]...)
	return len(p), nil
}

// tailWriter keeps the last bytes that are written to it, and at most as many
// again before them.
type tailWriter struct {
	most int
	kept []byte
}

// Write implements io.Writer. It never fails.
func (w *tailWriter) Write(p []byte) (int, error) {
	if len(w.kept)+len(p) > 2*w.most {
		w.kept = append(w.kept[:0], w.bytes()...)
	}
	w.kept = append(w.kept, p[max(0, len(p)-w.most):]...)
	return len(p), nil
}

func (w *tailWriter) bytes() []byte { return w.kept[max(0, len(w.kept)-w.most):] }
