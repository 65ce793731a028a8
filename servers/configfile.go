package servers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// readConfig reads what a program of this package is configured by: a file
// with one JSON object. A mistake in it is an [ErrConfig] that names the file;
// what says whose it is, such as "the proxy's configuration".
func readConfig[T any](path, what string, parse func([]byte) (T, error)) (T, error) {
	var none T
	text, err := os.ReadFile(path)
	if err != nil {
		return none, fmt.Errorf("%w: %s: %w", ErrConfig, what, err)
	}
	c, err := parse(text)
	if err != nil {
		return none, fmt.Errorf("%w: %s %s: %w", ErrConfig, what, path, err)
	}
	return c, nil
}

// decodeStrictly decodes one JSON object without fields that are not known, and
// with nothing behind it.
func decodeStrictly(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON object")
	}
	return nil
}
