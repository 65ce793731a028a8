package report

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/samples"
)

// The files of a report.
const (
	reportFile   = "report.md"
	pageFile     = "report.html"
	resultFile   = "result.json"
	summaryFile  = "summary.csv"
	junitFile    = "junit.xml"
	benchFile    = "bench.txt"
	samplesFile  = "samples.bin.gz"
	earlierFile  = "samples.csv.gz" // in place of it, of an earlier portlab
	sharesFile   = "shares.svg"
	latencyFile  = "latency.svg"
	timelineFile = "timeline.svg"
)

// Write makes the report of a result in dir, and dir itself where there is
// none. The files are written aside and then renamed into place, so that nobody
// sees half a file. The result must have been folded from these samples
// ([lab.Result.Fold]).
//
// A folder that holds a result of the same run is written anew, and other files
// in it are left alone. It returns a [lab.UsageError] if dir is anything else
// that is not empty.
func Write(dir string, r *lab.Result, all lab.Samples) error {
	if r.Requests != all.Len() {
		return fmt.Errorf("write a report: the result counts %d requests and there are %d samples: fold them first", r.Requests, all.Len())
	}
	there, err := vacant(dir, r.Run)
	if err != nil {
		return err
	}
	parent := filepath.Dir(filepath.Clean(dir))
	if there {
		parent = dir // which may be a file system of its own: a rename cannot cross it
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return fmt.Errorf("make room for the report: %w: choose a folder that you may write to with --out", err)
	}
	stage, err := os.MkdirTemp(parent, ".portlab-")
	if err != nil {
		return fmt.Errorf("make room for the report: %w: choose a folder that you may write to with --out", err)
	}
	// By then it is gone or empty, or an error that says more is returned.
	defer func() { _ = os.RemoveAll(stage) }()
	files, err := fill(stage, r, all)
	if err != nil {
		return fmt.Errorf("write a report: %w: is there space left? choose another folder with --out", err)
	}
	if there {
		return replace(dir, stage, files)
	}
	if err := os.Chmod(stage, 0o755); err != nil { // os.MkdirTemp's folders are for their owner alone
		return fmt.Errorf("write a report: %w", err)
	}
	if err := os.Rename(stage, dir); err != nil {
		return fmt.Errorf("put the report into place: %w: choose another folder with --out", err)
	}
	return nil
}

// vacant says whether there is a folder dir already, and returns an error if
// there is something that a report of this run must not replace.
func vacant(dir string, run lab.RunID) (there bool, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if info, e := os.Stat(dir); e == nil && !info.IsDir() {
		return false, lab.Usagef("%s is a file: choose a new folder with --out", dir)
	}
	if err != nil {
		return false, fmt.Errorf("look at the folder for the report: %w", err)
	}
	if len(entries) == 0 {
		return true, nil
	}
	old, err := openResult(dir)
	if err != nil {
		return false, lab.Usagef("%s is not empty and holds no result of portlab: choose a new folder with --out", dir)
	}
	if old.Run != run {
		return false, lab.Usagef("%s holds the result of another run, %s: choose a new folder with --out", dir, old.Run)
	}
	return true, nil
}

// fill writes all files of a report and returns their names; a plot that these
// data cannot have is not among them.
func fill(dir string, r *lab.Result, all lab.Samples) ([]string, error) {
	plots, err := plotsOf(r, all)
	if err != nil {
		return nil, err
	}
	var markdown bytes.Buffer
	if err := writeMarkdown(&markdown, r, all, plots); err != nil {
		return nil, err
	}
	writers := map[string]func(io.Writer) error{
		samplesFile: func(w io.Writer) error { return samples.Encode(w, all) },
		resultFile:  func(w io.Writer) error { return JSON(w, r) },
		summaryFile: func(w io.Writer) error { return SummaryCSV(w, r) },
		junitFile:   func(w io.Writer) error { return JUnit(w, r) },
		benchFile:   func(w io.Writer) error { return Bench(w, r) },
		reportFile:  func(w io.Writer) error { return writeAll(w, markdown.Bytes()) },
		pageFile:    func(w io.Writer) error { return writePage(w, title(r), markdown.Bytes(), plots) },
	}
	for name, p := range plots {
		writers[name] = func(w io.Writer) error { return writeAll(w, p.wide) }
	}
	names := sortedKeys(writers)
	for _, name := range names {
		if err := create(filepath.Join(dir, name), writers[name]); err != nil {
			return nil, err
		}
	}
	return names, all.Err()
}

func writeAll(w io.Writer, data []byte) error {
	_, err := w.Write(data)
	return err
}

// plotsOf draws the plots that these data can have, by the names of their files.
func plotsOf(r *lab.Result, all lab.Samples) (map[string]picture, error) {
	plots := map[string]picture{}
	for name, draw := range map[string]func() (picture, error){
		sharesFile:   func() (picture, error) { return plotShares(r) },
		latencyFile:  func() (picture, error) { return plotLatency(r, all) },
		timelineFile: func() (picture, error) { return plotTimeline(r, all) },
	} {
		p, err := draw()
		if _, none := errors.AsType[*noPlotError](err); none {
			continue
		}
		if err != nil {
			return nil, err
		}
		plots[name] = p
	}
	return plots, nil
}

// create writes a file. Where there is nothing to write, there is no file.
func create(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	if err := errors.Join(write(w), w.Flush(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// replace puts the files of a stage into dir. A file of an earlier report that
// this one does not have goes away, as does the raw data in an earlier form.
func replace(dir, stage string, files []string) error {
	has := map[string]bool{}
	for _, name := range files {
		has[name] = true
		if err := os.Rename(filepath.Join(stage, name), filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("put the report into place: %w", err)
		}
	}
	for _, name := range []string{sharesFile, latencyFile, timelineFile, earlierFile} {
		if has[name] {
			continue
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("take an old file away: %w", err)
		}
	}
	return nil
}
