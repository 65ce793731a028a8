package load

import (
	"net/http"
	"strings"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/servers/wire"
)

// identify notes in the sample what an answer says of who gave it. An answer
// that says nothing is as good as any other; one that says it in a form that
// cannot be read gives a malformedError, for it must not be counted as nobody's.
func identify(s *lab.Sample, header http.Header) error {
	lines := header.Values(wire.Header)
	if len(lines) == 0 {
		return nil
	}
	a, err := wire.Parse(strings.Join(lines, ", "))
	if err != nil {
		return &malformedError{err}
	}
	noteWho(s, a)
	return nil
}

// noteWho puts what a replica says of itself into the sample.
func noteWho(s *lab.Sample, a wire.Answer) {
	s.Instance, s.ReplicaSaw, s.Service = a.Instance, a.Client, a.Service
	s.ReplicaConnection, s.ReplicaRequest = a.Connection, a.Request
}
