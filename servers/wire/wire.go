// Package wire is how a response says who answered.
//
// Every answer of an instrumented server carries one response header:
//
//	Portlab-Answer: v=1, instance="foo", conn=12, req=3, client="198.19.0.2:41234", service-ns=18250
//
// Its value is a Dictionary of Structured Field Values for HTTP (RFC 9651,
// which obsoletes RFC 8941). All of these keys are required, in any order:
//
//	v           Integer; the version of this format, 1
//	instance    String, or Display String where the name is not printable
//	            ASCII: the instance name of the replica; 1 to 256 bytes of
//	            UTF-8 without control characters (category Cc)
//	conn        Integer; the number of this connection among all that the
//	            replica has accepted, from 1
//	req         Integer; the number of this request on its connection, from 1
//	client      String, or Display String: the address and port of the client
//	            as the replica sees it, "192.0.2.1:1024" or "[2001:db8::1]:1024"
//	            with the zone of a scoped address (RFC 4007) inside the
//	            brackets; IPv4-mapped addresses are written as IPv4
//	service-ns  Integer; the nanoseconds from when the replica had read the
//	            header of the request until it wrote the header of the answer
//
// An Integer has at most 15 digits (RFC 9651, section 3.3.1). In a String, the
// quotation mark and the backslash are written with a backslash before them. A
// Display String is %"..." in which the quotation mark, the per cent sign and
// each byte of UTF-8 that is not printable ASCII are a per cent sign and two
// lower-case hexadecimal digits: %"caf%c3%a9".
//
// A reader must ignore keys and parameters that it does not know, so that both
// can be added without a new version, and must refuse a version that it does
// not know. Of a key that comes twice the last counts (RFC 9651, section 4.2.2).
package wire

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"
)

// Header is the name of the response header.
const Header = "Portlab-Answer"

// Version is the one version of the format that this package writes and reads.
const Version = 1

// MaxInstance is the most bytes that an instance name may have.
const MaxInstance = 256

// maxInteger is the largest Integer, RFC 9651 section 3.3.1.
const maxInteger = 999_999_999_999_999

// Answer is what one response says of its replica.
type Answer struct {
	Instance   string         // the replica's name
	Connection uint64         // which of the replica's connections, from 1
	Request    uint64         // which request on that connection, from 1
	Client     netip.AddrPort // the client as the replica sees it
	Service    time.Duration  // the replica's own time for the answer
}

// CheckInstance says what is wrong with an instance name, or nil.
func CheckInstance(name string) error {
	switch {
	case name == "":
		return errors.New("an instance name must not be empty")
	case len(name) > MaxInstance:
		return fmt.Errorf("an instance name has at most %d bytes, not %d", MaxInstance, len(name))
	}
	return checkText("instance name", name)
}

// Encode gives the value of the header. It returns an error where the answer
// has no such form: an instance name that [CheckInstance] refuses, a number
// that is zero or has more than 15 digits, an invalid address.
func (a Answer) Encode() (string, error) {
	a.Client = unmap(a.Client)
	if err := a.check(); err != nil {
		return "", fmt.Errorf("encode %s: %w", Header, err)
	}
	b := make([]byte, 0, 128)
	b = append(b, "v=1, instance="...)
	b = appendText(b, a.Instance)
	b = append(b, ", conn="...)
	b = strconv.AppendUint(b, a.Connection, 10)
	b = append(b, ", req="...)
	b = strconv.AppendUint(b, a.Request, 10)
	b = append(b, ", client="...)
	b = appendText(b, a.Client.String())
	b = append(b, ", service-ns="...)
	b = strconv.AppendInt(b, a.Service.Nanoseconds(), 10)
	return string(b), nil
}

// Parse reads the value of the header. Several lines of the header are to be
// joined by ", " first (RFC 9651, section 4.2). Its errors say which key or
// which byte is at fault.
func Parse(value string) (Answer, error) {
	a, err := parse(value)
	if err != nil {
		return Answer{}, fmt.Errorf("parse %s: %w", Header, err)
	}
	return a, nil
}

func parse(value string) (Answer, error) {
	var d dictionary
	if err := d.read(value); err != nil {
		return Answer{}, err
	}
	// First of all, since another version may have other keys.
	version, err := d.integer(keyVersion)
	if err != nil {
		return Answer{}, err
	}
	if version != Version {
		return Answer{}, fmt.Errorf("version %d of the format; only version %d is known here", version, Version)
	}
	var errs [5]error
	var a Answer
	var connection, request, service int64
	var client string
	a.Instance, errs[0] = d.text(keyInstance)
	connection, errs[1] = d.integer(keyConnection)
	request, errs[2] = d.integer(keyRequest)
	client, errs[3] = d.text(keyClient)
	service, errs[4] = d.integer(keyService)
	if err := errors.Join(errs[:]...); err != nil {
		return Answer{}, err
	}
	addr, err := netip.ParseAddrPort(client)
	if err != nil {
		return Answer{}, fmt.Errorf("client: %w", err)
	}
	if connection < 0 || request < 0 {
		return Answer{}, errors.New("conn and req must not be negative")
	}
	a.Connection, a.Request = uint64(connection), uint64(request)
	a.Client, a.Service = unmap(addr), time.Duration(service)
	return a, a.check()
}

func (a Answer) check() error {
	if err := CheckInstance(a.Instance); err != nil {
		return err
	}
	switch {
	case a.Connection < 1 || a.Connection > maxInteger:
		return fmt.Errorf("connection %d is not between 1 and %d", a.Connection, int64(maxInteger))
	case a.Request < 1 || a.Request > maxInteger:
		return fmt.Errorf("request %d is not between 1 and %d", a.Request, int64(maxInteger))
	case a.Service < 0 || a.Service > maxInteger:
		return fmt.Errorf("a service time of %d ns is not between 0 and %d", a.Service, int64(maxInteger))
	case !a.Client.IsValid():
		return errors.New("no valid address of the client")
	}
	return checkText("zone of the client's address", a.Client.Addr().Zone())
}

// checkText refuses what neither a String nor a Display String should carry.
func checkText(what, s string) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("the %s %q is not valid UTF-8", what, s)
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return fmt.Errorf("the %s %q has the control character %U", what, s, r)
		}
	}
	return nil
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
