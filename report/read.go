package report

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/samples"
)

// Read takes back what [Write] wrote: the same result and the same samples, but
// that a nil list or map is an empty one. The samples stay in their file, and
// are read from it whenever they are needed. To render again, fold the samples
// anew, r.Fold(samples, r.Accepted()), and write.
//
// It returns a [lab.UsageError] if dir holds no result, a
// [lab.UnsupportedError] if a later portlab wrote it, and another error, which
// names the file, if one is missing, truncated or damaged.
func Read(dir string) (*lab.Result, lab.Samples, error) {
	r, err := openResult(dir)
	if err != nil {
		return nil, nil, err
	}
	samples, err := openSamples(dir)
	if err != nil {
		return nil, nil, err
	}
	if samples.Len() != r.Requests {
		return nil, nil, fmt.Errorf("%s speaks of %s and the raw data beside it have %d: they are not of one run, or some are missing; copy the whole folder, or run the trial again",
			filepath.Join(dir, resultFile), plural(r.Requests, "request"), samples.Len())
	}
	return r, samples, nil
}

// openSamples opens the raw data in dir, or reads those of an earlier portlab.
func openSamples(dir string) (lab.Samples, error) {
	path := filepath.Join(dir, samplesFile)
	all, err := samples.Open(path)
	if err == nil {
		return all, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, unreadable(path, err)
	}
	earlier := filepath.Join(dir, earlierFile)
	f, err := os.Open(earlier)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is missing: the raw data must lie beside %s; copy the whole folder, or run the trial again", path, resultFile)
	}
	if err != nil {
		return nil, fmt.Errorf("read the samples: %w", err)
	}
	defer f.Close()
	list, err := readZippedCSV(bufio.NewReader(f))
	if err != nil {
		return nil, unreadable(earlier, err)
	}
	return list, nil
}

// unreadable says what to do about raw data that cannot be read.
func unreadable(path string, err error) error {
	if later, ok := errors.AsType[*lab.UnsupportedError](err); ok {
		later.What = "reading " + path
		return later
	}
	return fmt.Errorf("read %s: %w; copy the file again, or run the trial again", path, err)
}

func openResult(dir string) (*lab.Result, error) {
	path := filepath.Join(dir, resultFile)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, lab.Usagef("%s holds no result of portlab: there is no %s", dir, path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the result: %w", err)
	}
	defer f.Close()
	r, err := readResult(f)
	var later *lab.UnsupportedError
	switch {
	case errors.As(err, &later):
		later.What = path
		return nil, later
	case errors.Is(err, errNoResult):
		return nil, lab.Usagef("%s: %v", path, err)
	case err != nil:
		return nil, fmt.Errorf("read %s: %w; copy the file again, or run the trial again", path, err)
	}
	return r, nil
}
