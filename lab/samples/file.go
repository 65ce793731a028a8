package samples

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/portlab/portlab/lab"
)

// File is samples in a file: what a [Writer] writes, as gzip (RFC 1952) unless
// a [Recorder] has it. They are in the order of their requests. It implements [lab.Samples], and takes
// the same memory however many there are.
type File struct {
	open  func() (io.ReadCloser, error) // from its beginning
	plain bool                          // not compressed
	count int
	err   error
}

// Open opens a file that [Encode] wrote, and reads it through once, so that
// damage is found before anything is made of it: a [DamageError]. It returns
// a [lab.UnsupportedError] for a later version of the format. The file is open
// only while it is read.
func Open(path string) (*File, error) {
	f := &File{open: func() (io.ReadCloser, error) { return os.Open(path) }}
	for range f.All() {
		f.count++
	}
	if f.err != nil {
		return nil, f.err
	}
	return f, nil
}

// Len implements [lab.Samples].
func (f *File) Len() int { return f.count }

// Err implements [lab.Samples].
func (f *File) Err() error { return f.err }

// All implements [lab.Samples].
func (f *File) All() iter.Seq[lab.Sample] {
	return func(yield func(lab.Sample) bool) {
		if f.err == nil {
			f.err = f.each(yield)
		}
	}
}

func (f *File) each(yield func(lab.Sample) bool) error {
	file, err := f.open()
	if err != nil {
		return err
	}
	defer file.Close()
	var from io.Reader = file
	if !f.plain {
		if from, err = gzip.NewReader(file); err != nil {
			return (&Reader{}).damage(err)
		}
	}
	in := bufio.NewReaderSize(from, flushAt)
	r, err := NewReader(in)
	if err != nil {
		return err
	}
	last := -1
	for s := range r.All() {
		if s.Request <= last {
			return r.damage(fmt.Errorf("request %d comes after request %d", s.Request, last))
		}
		last = s.Request
		if !yield(s) {
			return nil
		}
	}
	if err := r.Err(); err != nil {
		return err
	}
	// Only at its own end does gzip compare its checksum.
	switch _, err := in.ReadByte(); {
	case err == nil:
		return r.damage(errors.New("something follows the samples"))
	case !errors.Is(err, io.EOF):
		return r.damage(err)
	}
	return nil
}

// Encode writes samples as a file that [Open] opens: those of
// another file as they are there, byte for byte.
func Encode(out io.Writer, all lab.Samples) error {
	if f, ok := all.(*File); ok {
		file, err := f.open()
		if err != nil {
			return err
		}
		defer file.Close()
		if !f.plain {
			_, err = io.Copy(out, file)
			return err
		}
		zip := packed(out)
		_, err = io.Copy(zip, file)
		return errors.Join(err, zip.Close())
	}
	zip := packed(out)
	w := NewWriter(zip)
	for s := range all.All() {
		if err := w.Write(&s); err != nil {
			return err
		}
	}
	if err := all.Err(); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return zip.Close()
}

// packed is a writer whose bytes are compressed. The fastest level takes half
// the time of the usual one, for a twentieth more bytes.
func packed(out io.Writer) *gzip.Writer {
	zip, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
	if err != nil {
		panic(err) // there is such a level
	}
	return zip
}
