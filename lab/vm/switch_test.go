package vm

import (
	"bytes"
	"net"
	"testing"
	"time"
)

// station is one end of a switch's port, as a machine has it.
type station struct {
	port *port
	wire net.Conn
}

func plugged(t *testing.T, s *Switch) station {
	t.Helper()
	p, theirs, err := s.plug()
	if err != nil {
		t.Fatal(err)
	}
	wire, err := net.FileConn(theirs)
	if err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	t.Cleanup(func() {
		if err := p.close(); err != nil {
			t.Error(err)
		}
		wire.Close()
	})
	return station{p, wire}
}

var (
	a   = hardware{2, 0, 0, 0, 0, 'a'}
	b   = hardware{2, 0, 0, 0, 0, 'b'}
	c   = hardware{2, 0, 0, 0, 0, 'c'}
	all = hardware{255, 255, 255, 255, 255, 255}
)

// frame is one of the type for experiments (IEEE 802, 9.2.3).
func frame(from, to hardware, text string) []byte {
	return append(append(append(to[:], from[:]...), 0x88, 0xb5), text...)
}

func (s station) sends(t *testing.T, frame []byte) {
	t.Helper()
	if _, err := s.wire.Write(frame); err != nil {
		t.Fatal(err)
	}
}

// hears reads frames up to the one with this text, and says how many came.
func (s station) hears(t *testing.T, want []byte) int {
	t.Helper()
	buf := make([]byte, frameBytes)
	if err := s.wire.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for n := 1; ; n++ {
		size, err := s.wire.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(buf[:size], want) {
			return n
		}
	}
}

func TestSwitchLearnsWhoIsWhere(t *testing.T) {
	s := NewSwitch()
	one, two, three := plugged(t, s), plugged(t, s), plugged(t, s)

	first := frame(a, b, "to one whom nobody knows")
	one.sends(t, first)
	two.hears(t, first)
	three.hears(t, first)

	answer := frame(b, a, "an answer, to one who is known")
	two.sends(t, answer)
	if n := one.hears(t, answer); n != 1 {
		t.Errorf("one heard %d frames, its own too", n)
	}
	one.sends(t, frame(a, b, "to two alone"))
	// What three hears next is what is for all: the frames before were not.
	end := frame(c, all, "to all")
	two.sends(t, end)
	if n := three.hears(t, end); n != 1 {
		t.Errorf("three heard %d frames, want the one for all", n)
	}
	if n := one.hears(t, end); n != 1 {
		t.Errorf("one heard %d frames, want the one for all", n)
	}
}

func TestSwitchForgetsWhoLeft(t *testing.T) {
	s := NewSwitch()
	one, two := plugged(t, s), plugged(t, s)
	hello := frame(b, all, "here is b")
	two.sends(t, hello)
	one.hears(t, hello)
	if err := two.port.close(); err != nil {
		t.Fatal(err)
	}
	three := plugged(t, s)
	again := frame(a, b, "b stands elsewhere now")
	one.sends(t, again)
	three.hears(t, again)
}

// A machine that takes nothing does not stop the others.
func TestSwitchDropsWhatAMachineDoesNotTake(t *testing.T) {
	s := NewSwitch()
	plugged(t, s) // and it never reads
	one := plugged(t, s)
	if err := one.wire.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	for range 3 * queued { // more than the queue and the socket hold
		one.sends(t, frame(a, all, "to all"))
	}
}

func TestSwitchIgnoresWhatIsNoFrame(t *testing.T) {
	s := NewSwitch()
	one, two := plugged(t, s), plugged(t, s)
	one.sends(t, []byte("short"))
	end := frame(a, all, "to all")
	one.sends(t, end)
	if n := two.hears(t, end); n != 1 {
		t.Errorf("two heard %d frames", n)
	}
}

func TestNewHardwareIsOfOneStation(t *testing.T) {
	for range 1000 {
		h := hardware(newHardware())
		if h.group() || h[0]&2 == 0 {
			t.Fatalf("%x is no address for a machine", h)
		}
	}
}
