package load

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/coder/websocket"

	"github.com/portlab/portlab/lab"
)

// fault names the fault of a request and says what was seen of it. Ctx is that
// of the request, and end what the server did to the connection, if it did.
func (l *streamsLoad) fault(ctx context.Context, err error, connected bool, end error) (lab.Fault, string) {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return classify(os.ErrDeadlineExceeded, connected), l.missing(connected)
	}
	f := faultOf(err, connected, end)
	if f == lab.ClientLimit {
		var code syscall.Errno
		errors.As(err, &code)
		return f, cmp.Or(exhaustion(code, l.client.Ports), detail(err))
	}
	return f, detail(err)
}

func (l *streamsLoad) missing(connected bool) string {
	if connected {
		return fmt.Sprintf("no whole answer within %s", l.plan.Timeout)
	}
	return fmt.Sprintf("no connection within %s", l.plan.Timeout)
}

// faultOf finds the fault of an error other than the deadline's: what the server
// said first, then what befell the connection, then what the answer was.
func faultOf(err error, connected bool, end error) lab.Fault {
	stream, ofStream := streamErrorOf(err)
	known := classify(err, connected)
	switch {
	case ofStream && stream.byServer() && stream.Code == refusedStream:
		return lab.Refused
	case ofStream && stream.byServer():
		return lab.Reset
	case known != lab.Other:
		return known
	case tooLong(err) || isHandshake(err):
		return lab.BadAnswer
	case websocket.CloseStatus(err) >= 0 || strings.Contains(err.Error(), "GOAWAY") || errors.Is(end, io.EOF):
		return lab.Reset
	case end != nil:
		return classify(end, connected)
	case connected:
		return lab.BadAnswer // what the library could not read
	}
	return lab.Other
}
