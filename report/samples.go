package report

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/portlab/portlab/lab"
)

// CSV writes samples as CSV (RFC 4180) with a header, one row a request, as
// docs/samples.md describes it. Where the processor was emulated, a last column
// says so of each row, since its times are an emulator's.
func CSV(out io.Writer, samples lab.Samples, isEmulated bool) error {
	w := csv.NewWriter(out)
	all := columns
	if isEmulated {
		all = append(slices.Clone(columns), emulatedColumn)
	}
	if err := w.Write(header(all)); err != nil {
		return err
	}
	row := make([]string, len(all))
	for sample := range samples.All() {
		for c, col := range all {
			row[c] = col.write(&sample)
		}
		if err := w.Write(row); err != nil {
			return err
		}
	}
	if err := samples.Err(); err != nil {
		return err
	}
	w.Flush()
	return w.Error()
}

// emulatedColumn says of what machine times are. A sample itself does not know.
var emulatedColumn = column{emulated, func(*lab.Sample) string { return asDigit(true) }, func(*lab.Sample, string) error { return nil }}

func header(all []column) []string {
	names := make([]string, len(all))
	for i, c := range all {
		names[i] = c.name
	}
	return names
}

// readZippedCSV reads the raw data of an earlier portlab, gzip of CSV. Its
// errors name the line.
func readZippedCSV(in io.Reader) (lab.SampleList, error) {
	z, err := gzip.NewReader(in)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, errors.New("it ends early, before the first row")
	}
	if err != nil {
		return nil, fmt.Errorf("it is not what portlab wrote: %w", err)
	}
	return readCSV(z)
}

// readCSV reads what [CSV] wrote, or an earlier portlab, which lacked some of
// the columns.
func readCSV(in io.Reader) (lab.SampleList, error) {
	r := csv.NewReader(in)
	r.ReuseRecord = true
	names, err := r.Read()
	if err != nil {
		return nil, rowError(r, err)
	}
	there, err := columnsOf(names)
	if err != nil {
		return nil, err
	}
	samples := lab.SampleList{}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return samples, nil
		}
		if err != nil {
			return nil, rowError(r, err)
		}
		s, err := readRow(there, row)
		if err == nil && len(samples) > 0 && s.Request <= samples[len(samples)-1].Request {
			err = fmt.Errorf("request %d after request %d", s.Request, samples[len(samples)-1].Request)
		}
		if err != nil {
			line, _ := r.FieldPos(0)
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		samples = append(samples, s)
	}
}

// columnsOf are the columns that a header names.
func columnsOf(names []string) ([]column, error) {
	known := map[string]column{}
	for _, c := range append(slices.Clone(columns), emulatedColumn) {
		known[c.name] = c
	}
	there := make([]column, len(names))
	for i, name := range names {
		c, ok := known[name]
		if !ok {
			return nil, fmt.Errorf("its column %d is %q, which is none or there twice: it is not what portlab wrote", i+1, name)
		}
		there[i] = c
		delete(known, name)
	}
	return there, nil
}

func readRow(there []column, row []string) (lab.Sample, error) {
	var s lab.Sample
	begun := false
	for i, c := range there {
		if err := c.read(&s, row[i]); err != nil {
			return s, fmt.Errorf("column %s: %w", c.name, err)
		}
		begun = begun || c.name == "begun_ns"
	}
	if !begun { // in a closed loop, which was all there was, they are the same
		s.Begun = s.Due
	}
	return s, nil
}

// rowError says what an error of the file's form means.
func rowError(r *csv.Reader, err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("it ends early, before its header")
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("it ends early, after %d bytes of text: the file is truncated", r.InputOffset())
	}
	return err // of encoding/csv, which names the line, or of the file
}
