package load

import (
	"net/http"
	"sync"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/servers/wire"
)

// sharedAbout finds out whom an answer is from that a library has read, for
// several goroutines.
type sharedAbout struct {
	mu    sync.Mutex
	about *about
}

func newSharedAbout(p lab.Plan) *sharedAbout { return &sharedAbout{about: newAbout(p)} }

// http notes who gave an answer of HTTP, by its header or the beginning of its
// body.
func (a *sharedAbout) http(s *lab.Sample, header http.Header, body []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var err error
	switch {
	case a.about.own:
		return identify(s, header)
	case a.about.pattern != nil:
		s.Instance, err = a.about.find(body)
	default:
		s.Instance, err = a.about.name([]byte(header.Get(a.about.header)))
	}
	return err
}

// line reads an answer of the line protocol to the request with this id. Where
// a header has named who gives it, named is that.
func (a *sharedAbout) line(line []byte, id uint64, named string) (wire.Answer, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	who, err := a.about.readLine(line, id)
	if err == nil && named != "" {
		who.Instance, err = a.about.name([]byte(named))
	}
	return who, err
}
