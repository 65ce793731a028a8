package servers

import (
	"net/http"
	"time"

	"github.com/portlab/portlab/servers/wire"
)

// signed has every answer say who gave it, and counts it.
func (s *Server) signed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		s.metrics.inFlight.Inc()
		defer s.metrics.inFlight.Dec()
		c := r.Context().Value(connectionKey{}).(*connection)
		sw := &signedWriter{ResponseWriter: w, begun: begun, answer: wire.Answer{
			Instance: s.config.Instance, Connection: c.number, Request: c.requests.Add(1), Client: c.client,
		}}
		next.ServeHTTP(sw, r)
		if sw.status == 0 {
			sw.WriteHeader(http.StatusOK) // as net/http does for an empty answer
		}
		s.metrics.answered(sw.status, sw.answer.Service)
	})
}

// signedWriter adds the header of package wire at the last moment at which a
// header can be added, which is also where the service time ends.
type signedWriter struct {
	http.ResponseWriter
	begun  time.Time
	answer wire.Answer
	status int // 0: no header yet
}

func (w *signedWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
		w.answer.Service = time.Since(w.begun)
		line, err := w.answer.Encode()
		if err != nil {
			panic(err) // the name was checked at start, and a TCP client has an address
		}
		w.Header().Set(wire.Header, line)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *signedWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets [http.ResponseController] reach what is underneath.
func (w *signedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
