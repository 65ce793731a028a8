package report

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/portlab/portlab/lab"
)

// column is one field of a sample as CSV. Its name ends in its unit.
type column struct {
	name  string
	write func(s *lab.Sample) string
	read  func(s *lab.Sample, field string) error
}

// columns are all fields of a sample, in the order of the file.
var columns = []column{
	number("request", func(s *lab.Sample) *int { return &s.Request }),
	number("connection", func(s *lab.Sample) *int { return &s.Connection }),
	duration("due_ns", func(s *lab.Sample) *time.Duration { return &s.Due }),
	duration("begun_ns", func(s *lab.Sample) *time.Duration { return &s.Begun }),
	duration("connected_ns", func(s *lab.Sample) *time.Duration { return &s.Connected }),
	duration("first_byte_ns", func(s *lab.Sample) *time.Duration { return &s.FirstByte }),
	duration("done_ns", func(s *lab.Sample) *time.Duration { return &s.Done }),
	address("local", func(s *lab.Sample) *netip.AddrPort { return &s.Local }),
	address("target", func(s *lab.Sample) *netip.AddrPort { return &s.Target }),
	text("instance", func(s *lab.Sample) *string { return &s.Instance }),
	number("status", func(s *lab.Sample) *int { return &s.Status }),
	text("fault", func(s *lab.Sample) *string { return (*string)(&s.Fault) }),
	text("detail", func(s *lab.Sample) *string { return &s.Detail }),
	count("replica_connection", func(s *lab.Sample) *uint64 { return &s.ReplicaConnection }),
	count("replica_request", func(s *lab.Sample) *uint64 { return &s.ReplicaRequest }),
	address("replica_saw", func(s *lab.Sample) *netip.AddrPort { return &s.ReplicaSaw }),
	duration("service_ns", func(s *lab.Sample) *time.Duration { return &s.Service }),
	number("duplicates", func(s *lab.Sample) *int { return &s.Duplicates }),
	boolean("reordered", func(s *lab.Sample) *bool { return &s.Reordered }),
	text("closed_first", func(s *lab.Sample) *string { return (*string)(&s.ClosedFirst) }),
}

func number(name string, at func(*lab.Sample) *int) column {
	return column{name,
		func(s *lab.Sample) string { return strconv.Itoa(*at(s)) },
		func(s *lab.Sample, field string) (err error) {
			*at(s), err = strconv.Atoi(field)
			return err
		}}
}

// boolean is 0 or 1.
func boolean(name string, at func(*lab.Sample) *bool) column {
	return column{name,
		func(s *lab.Sample) string { return asDigit(*at(s)) },
		func(s *lab.Sample, field string) (err error) {
			*at(s), err = strconv.ParseBool(field)
			return err
		}}
}

func count(name string, at func(*lab.Sample) *uint64) column {
	return column{name,
		func(s *lab.Sample) string { return strconv.FormatUint(*at(s), 10) },
		func(s *lab.Sample, field string) (err error) {
			*at(s), err = strconv.ParseUint(field, 10, 64)
			return err
		}}
}

func duration(name string, at func(*lab.Sample) *time.Duration) column {
	return column{name,
		func(s *lab.Sample) string { return strconv.FormatInt(int64(*at(s)), 10) },
		func(s *lab.Sample, field string) error {
			ns, err := strconv.ParseInt(field, 10, 64)
			*at(s) = time.Duration(ns)
			return err
		}}
}

// address is empty where there is none.
func address(name string, at func(*lab.Sample) *netip.AddrPort) column {
	return column{name,
		func(s *lab.Sample) string {
			if !at(s).IsValid() {
				return ""
			}
			return at(s).String()
		},
		func(s *lab.Sample, field string) (err error) {
			if field == "" {
				return nil
			}
			*at(s), err = netip.ParseAddrPort(field)
			return err
		}}
}

// text escapes line ends, so that a row is always one line.
func text(name string, at func(*lab.Sample) *string) column {
	return column{name,
		func(s *lab.Sample) string { return lineEscaper.Replace(*at(s)) },
		func(s *lab.Sample, field string) (err error) {
			*at(s), err = unescapeLine(field)
			return err
		}}
}

var lineEscaper = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`)

func unescapeLine(field string) (string, error) {
	if !strings.Contains(field, `\`) {
		return field, nil
	}
	var b strings.Builder
	for i := 0; i < len(field); i++ {
		if field[i] != '\\' {
			b.WriteByte(field[i])
			continue
		}
		i++
		switch {
		case i < len(field) && field[i] == '\\':
			b.WriteByte('\\')
		case i < len(field) && field[i] == 'n':
			b.WriteByte('\n')
		case i < len(field) && field[i] == 'r':
			b.WriteByte('\r')
		default:
			return "", fmt.Errorf(`a backslash that is not followed by \, n or r`)
		}
	}
	return b.String(), nil
}
