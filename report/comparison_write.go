package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/compare"
)

// The files of a comparison's report, beside report.md and report.html.
const (
	comparisonFile = "comparison.json"
	pairsFile      = "pairs.csv"
	forestFile     = "ratios.svg"
)

// WriteComparison makes the report of a comparison in dir, and dir itself where
// there is none. Each file is written aside and then renamed into place. A
// folder that holds the same comparison, or only the runs of it that are not
// written yet, is written anew; other files in it, such as the runs' own
// reports, are left alone. It returns a [lab.UsageError] if dir is a file or
// holds another comparison.
func WriteComparison(dir string, c *compare.Comparison) error {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return lab.Usagef("%s is a file: choose a new folder with --out", dir)
	}
	if old, err := ReadComparison(dir); err == nil && old.ID != c.ID {
		return lab.Usagef("%s holds another comparison, %s: choose a new folder with --out", dir, old.ID)
	}
	files, err := comparisonFiles(c)
	if err != nil {
		return fmt.Errorf("write the report of a comparison: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make room for the report: %w: choose a folder that you may write to with --out", err)
	}
	stage, err := os.MkdirTemp(dir, ".portlab-")
	if err != nil {
		return fmt.Errorf("make room for the report: %w: choose a folder that you may write to with --out", err)
	}
	// By then it is empty, or an error that says more is returned.
	defer func() { _ = os.RemoveAll(stage) }()
	for _, name := range sortedKeys(files) {
		err := create(filepath.Join(stage, name), func(w io.Writer) error { return writeAll(w, files[name]) })
		if err == nil {
			err = os.Rename(filepath.Join(stage, name), filepath.Join(dir, name))
		}
		if err != nil {
			return fmt.Errorf("write a report: %w: is there space left? choose another folder with --out", err)
		}
	}
	if _, drawn := files[forestFile]; drawn {
		return nil
	}
	if err := os.Remove(filepath.Join(dir, forestFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("take an old plot away: %w", err)
	}
	return nil
}

// comparisonFiles are the contents of all files, by their names.
func comparisonFiles(c *compare.Comparison) (map[string][]byte, error) {
	d, files := digestOf(c), map[string][]byte{}
	plots := map[string]picture{}
	switch forest, err := plotForest(d); {
	case err == nil:
		plots[forestFile], files[forestFile] = forest, forest.wide
	default:
		if _, none := errors.AsType[*noPlotError](err); !none {
			return nil, err
		}
	}
	for name, write := range map[string]func(io.Writer) error{
		comparisonFile: func(w io.Writer) error { return ComparisonJSON(w, c) },
		reportFile:     func(w io.Writer) error { return ComparisonMarkdown(w, c) },
		benchFile:      func(w io.Writer) error { return ComparisonBench(w, c) },
		summaryFile:    func(w io.Writer) error { return ComparisonCSV(w, c) },
		pairsFile:      func(w io.Writer) error { return writePairs(w, d) },
		junitFile:      func(w io.Writer) error { return ComparisonJUnit(w, c) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			return nil, err
		}
		files[name] = b.Bytes()
	}
	var page bytes.Buffer
	if err := writePage(&page, d.title(), files[reportFile], plots); err != nil {
		return nil, err
	}
	files[pageFile] = page.Bytes()
	return files, nil
}

// ComparisonJSON writes the comparison as one indented object, as
// docs/comparison.schema.json describes it. A list or a map without content is
// [] or {}, never null. It returns an error that names the field if a number is
// not finite.
func ComparisonJSON(w io.Writer, c *compare.Comparison) error { return writeJSON(w, *c, "comparison") }

// IsComparison says whether a folder holds a comparison, rather than a run.
func IsComparison(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, comparisonFile))
	return err == nil
}

// ReadComparison takes back what [WriteComparison] wrote. It returns a
// [lab.UsageError] if dir holds no comparison, a [lab.UnsupportedError] if a
// later portlab wrote it, and another error, which names the file, if it is
// truncated or damaged.
func ReadComparison(dir string) (*compare.Comparison, error) {
	path := filepath.Join(dir, comparisonFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, lab.Usagef("%s holds no comparison of portlab: there is no %s", dir, path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the comparison: %w", err)
	}
	c := &compare.Comparison{}
	if err := json.Unmarshal(data, c); err != nil {
		return nil, fmt.Errorf("read %s: %w; copy the file again, or run the comparison again", path, explain(err, data))
	}
	switch v := c.SchemaVersion; {
	case v < 1:
		return nil, lab.Usagef("%s is no comparison of portlab: it has no schema_version", path)
	case v > compare.SchemaVersion:
		return nil, &lab.UnsupportedError{
			What:   path,
			Reason: fmt.Sprintf("its schema_version is %d, and this portlab reads versions up to %d", v, compare.SchemaVersion),
			Remedy: "use the portlab that wrote it, or a later one",
		}
	}
	return c, nil
}
