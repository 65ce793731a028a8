package report

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/portlab/portlab/lab"
)

// Read takes back what [Write] wrote: the same result and the same samples, but
// that a nil list or map is an empty one. To render again, fold the samples
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
	path := filepath.Join(dir, samplesFile)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("%s is missing: the raw data must lie beside %s; copy the whole folder, or run the trial again", path, resultFile)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read the samples: %w", err)
	}
	defer f.Close()
	samples, err := readSamples(bufio.NewReader(f))
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w; copy the file again, or run the trial again", path, err)
	}
	if len(samples) != r.Requests {
		return nil, nil, fmt.Errorf("%s speaks of %d requests and %s has %d rows: they are not of one run, or rows are missing; copy the whole folder, or run the trial again",
			filepath.Join(dir, resultFile), r.Requests, samplesFile, len(samples))
	}
	return r, lab.SampleList(samples), nil
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
