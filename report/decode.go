package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/portlab/portlab/lab"
)

// errNoResult is found in the error for a file that is no result of portlab.
var errNoResult = errors.New("not a result of portlab")

// readResult reads what [JSON] wrote. Fields that it does not know are passed
// over: within one schema version, a later portlab may add some. It returns a
// [lab.UnsupportedError] for a later schema version.
func readResult(in io.Reader) (*lab.Result, error) {
	data, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	var head struct {
		SchemaVersion int `json:"schema_version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, explain(err, data)
	}
	switch v := head.SchemaVersion; {
	case v < 1:
		return nil, fmt.Errorf("%w: it has no schema_version", errNoResult)
	case v > lab.SchemaVersion:
		return nil, &lab.UnsupportedError{
			Reason: fmt.Sprintf("its schema_version is %d, and this portlab reads versions up to %d", v, lab.SchemaVersion),
			Remedy: "use the portlab that wrote it, or a later one",
		}
	}
	d := json.NewDecoder(bytes.NewReader(data))
	r := &lab.Result{}
	if err := d.Decode(r); err != nil {
		return nil, explain(err, data)
	}
	return r, nil
}

// explain says in words what encoding/json says in its own.
func explain(err error, data []byte) error {
	var syntax *json.SyntaxError
	switch {
	case len(data) == 0:
		return errors.New("it is empty")
	case errors.As(err, &syntax) && syntax.Offset >= int64(len(data)):
		return fmt.Errorf("it ends early, after %d bytes (%w)", len(data), err)
	}
	return fmt.Errorf("%w: %w", errNoResult, err)
}
