package report

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"

	"github.com/portlab/portlab/lab"
)

// writeSamples writes samples in order of their request, as gzip (RFC 1952) of
// CSV (RFC 4180) with a header. The bytes depend on the samples alone.
func writeSamples(out io.Writer, samples lab.Samples) error {
	z := gzip.NewWriter(out)
	if err := writeCSV(z, samples); err != nil {
		return err
	}
	return z.Close()
}

func writeCSV(out io.Writer, samples lab.Samples) error {
	w := csv.NewWriter(out)
	if err := w.Write(header()); err != nil {
		return err
	}
	row := make([]string, len(columns))
	for sample := range samples.All() {
		for c, col := range columns {
			row[c] = col.write(&sample)
		}
		if err := w.Write(row); err != nil {
			return err
		}
	}
	w.Flush()
	return errors.Join(w.Error(), samples.Err())
}

func header() []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	return names
}

// readSamples reads what [writeSamples] wrote. Its errors name the line.
func readSamples(in io.Reader) ([]lab.Sample, error) {
	z, err := gzip.NewReader(in)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, errors.New("it ends early, before the first row")
	}
	if err != nil {
		return nil, fmt.Errorf("it is not what portlab wrote: %w", err)
	}
	return readCSV(z)
}

func readCSV(in io.Reader) ([]lab.Sample, error) {
	r := csv.NewReader(in)
	r.ReuseRecord, r.FieldsPerRecord = true, len(columns)
	names, err := r.Read()
	if err != nil {
		return nil, rowError(r, err)
	}
	for i, c := range columns {
		if names[i] != c.name {
			return nil, fmt.Errorf("its column %d is %q, not %q: it is not what this portlab wrote", i+1, names[i], c.name)
		}
	}
	samples := []lab.Sample{}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return samples, nil
		}
		if err != nil {
			return nil, rowError(r, err)
		}
		s, err := readRow(row)
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

func readRow(row []string) (lab.Sample, error) {
	var s lab.Sample
	for i, c := range columns {
		if err := c.read(&s, row[i]); err != nil {
			return s, fmt.Errorf("column %s: %w", c.name, err)
		}
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
