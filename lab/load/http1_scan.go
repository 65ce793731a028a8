package load

import (
	"bytes"
	"net/netip"
	"time"
	"unsafe"
)

// scanner reads what is expected from left to right, without an allocation;
// ok is false from the first thing that is not as expected.
type scanner struct {
	rest []byte
	ok   bool
}

func (s *scanner) text(want string) {
	if !s.ok || len(s.rest) < len(want) || string(s.rest[:len(want)]) != want {
		s.ok = false
		return
	}
	s.rest = s.rest[len(want):]
}

// until gives the printable ASCII before a byte, and passes over that byte. A
// backslash is not expected, for it would change what follows it.
func (s *scanner) until(end byte) []byte {
	at := bytes.IndexByte(s.rest, end)
	if !s.ok || at < 0 {
		s.ok = false
		return nil
	}
	found := s.rest[:at]
	for _, c := range found {
		if c < 0x20 || c > 0x7e || c == '\\' {
			s.ok = false
		}
	}
	s.rest = s.rest[at+1:]
	return found
}

// number reads an Integer of RFC 9651 that is not negative: at most 15 digits.
func (s *scanner) number() (n uint64) {
	digits := 0
	for digits < len(s.rest) && isDigit(s.rest[digits]) {
		n = n*10 + uint64(s.rest[digits]-'0')
		if digits++; digits > 15 {
			break
		}
	}
	if digits == 0 || digits > 15 {
		s.ok = false
		return 0
	}
	s.rest = s.rest[digits:]
	return n
}

func (s *scanner) nanoseconds() time.Duration { return time.Duration(s.number()) }

// parseAddrPort reads an address without a zone.
func parseAddrPort(b []byte) (netip.AddrPort, bool) {
	if len(b) == 0 {
		return netip.AddrPort{}, false
	}
	// The parser keeps no part of the string, but of a zone.
	a, err := netip.ParseAddrPort(unsafe.String(&b[0], len(b)))
	if err != nil {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), true
}
