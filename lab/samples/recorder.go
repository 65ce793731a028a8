package samples

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// Recorder is a [lab.Recorder] on a temporary file. In memory it holds only
// the samples that wait for one of an earlier request: as many as end while
// the slowest is under way.
//
// What is written during a load is not compressed: that would take as much
// processor time as all else that is done with a sample, from what is measured.
//
// The file has no name, so that nothing is left of it, however this process
// ends. [Encode] compresses it into one that is to stay.
type Recorder struct {
	file    *os.File
	buffer  *bufio.Writer
	out     *Writer
	next    int // number of the request that is written next
	waiting queue
	done    *File
}

// NewRecorder makes a recorder whose file is in dir, such as that of the
// report, or [os.TempDir]; where there is no such folder, as in an image with
// nothing but the program, it is in memory (memfd_create(2)). Close it when
// nobody reads the samples any more.
func NewRecorder(dir string) (*Recorder, error) {
	f, err := nameless(dir)
	if err != nil {
		return nil, fmt.Errorf("make a file for the samples: %w", err)
	}
	r := &Recorder{file: f, buffer: bufio.NewWriterSize(f, flushAt)}
	r.out = NewWriter(r.buffer)
	return r, nil
}

// nameless makes a file that goes when it is closed.
func nameless(dir string) (*os.File, error) {
	const name = ".portlab-samples-"
	f, err := os.CreateTemp(dir, name)
	if errors.Is(err, fs.ErrNotExist) {
		fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
		return os.NewFile(uintptr(fd), name), os.NewSyscallError("memfd_create", err)
	}
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Record implements [lab.Recorder].
func (r *Recorder) Record(s lab.Sample) error {
	if s.Request != r.next {
		r.waiting.push(s)
		return nil
	}
	if err := r.write(&s); err != nil {
		return err
	}
	for r.waiting.len() > 0 && r.waiting.least() <= r.next {
		if err := r.write(r.waiting.pop()); err != nil {
			return err
		}
	}
	return nil
}

// Samples implements [lab.Recorder]. Requests that gave no sample, since the
// load was cut off, are passed over.
func (r *Recorder) Samples() (lab.Samples, error) {
	if r.done != nil {
		return r.done, nil
	}
	for r.waiting.len() > 0 {
		if err := r.write(r.waiting.pop()); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(r.out.Close(), r.buffer.Flush()); err != nil {
		return nil, fmt.Errorf("keep the samples: %w", err)
	}
	r.done = &File{open: r.read, plain: true, count: int(r.out.count)}
	return r.done, nil
}

// read reads the file from its beginning, however often it is being read.
func (r *Recorder) read() (io.ReadCloser, error) {
	return io.NopCloser(io.NewSectionReader(r.file, 0, math.MaxInt64)), nil
}

// Close takes the file away, and with it the samples that were recorded.
func (r *Recorder) Close() error { return r.file.Close() }

func (r *Recorder) write(s *lab.Sample) error {
	if s.Request < r.next {
		return fmt.Errorf("keep the samples: there are two of request %d", s.Request)
	}
	r.next = s.Request + 1
	if err := r.out.Write(s); err != nil {
		return fmt.Errorf("keep the samples: %w: is there space left in the folder for them?", err)
	}
	return nil
}
