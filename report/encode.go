package report

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"reflect"

	"github.com/portlab/portlab/lab"
)

// JSON writes the result as one indented object, as docs/result.schema.json
// describes it. A list or a map without content is [] or {}, never null. It
// returns an error that names the field if a number is not finite, since JSON
// (RFC 8259, section 6) has no such number.
func JSON(w io.Writer, r *lab.Result) error { return writeJSON(w, *r, "result") }

// writeJSON writes a struct, which is called what, as [JSON] says.
func writeJSON(w io.Writer, v any, what string) error {
	whole, err := complete(reflect.ValueOf(v), what)
	if err != nil {
		return err
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(whole.Interface()); err != nil {
		return fmt.Errorf("write the %s as JSON: %w", what, err)
	}
	return nil
}

// complete returns a deep copy of v in which no slice and no map is nil, so
// that a script may loop over each without asking. Field names are those of Go,
// since the error that they end in is a fault of the program.
func complete(v reflect.Value, at string) (reflect.Value, error) {
	switch v.Kind() {
	case reflect.Struct:
		return completeStruct(v, at)
	case reflect.Slice:
		return completeSlice(v, at)
	case reflect.Map:
		return completeMap(v, at)
	case reflect.Array:
		for i := range v.Len() {
			if _, err := complete(v.Index(i), fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return v, err
			}
		}
	case reflect.Pointer:
		if !v.IsNil() {
			_, err := complete(v.Elem(), at)
			return v, err
		}
	case reflect.Float64:
		if x := v.Float(); math.IsNaN(x) || math.IsInf(x, 0) {
			return v, fmt.Errorf("%s is %v, which JSON cannot say: whoever computed it must leave it out", at, x)
		}
	}
	return v, nil
}

func completeStruct(v reflect.Value, at string) (reflect.Value, error) {
	whole := reflect.New(v.Type()).Elem()
	whole.Set(v)
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() {
			continue
		}
		part, err := complete(v.Field(i), at+"."+f.Name)
		if err != nil {
			return v, err
		}
		whole.Field(i).Set(part)
	}
	return whole, nil
}

func completeSlice(v reflect.Value, at string) (reflect.Value, error) {
	whole := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
	for i := range v.Len() {
		part, err := complete(v.Index(i), fmt.Sprintf("%s[%d]", at, i))
		if err != nil {
			return v, err
		}
		whole.Index(i).Set(part)
	}
	return whole, nil
}

func completeMap(v reflect.Value, at string) (reflect.Value, error) {
	whole := reflect.MakeMapWithSize(v.Type(), v.Len())
	for _, k := range v.MapKeys() {
		part, err := complete(v.MapIndex(k), fmt.Sprintf("%s[%v]", at, k))
		if err != nil {
			return v, err
		}
		whole.SetMapIndex(k, part)
	}
	return whole, nil
}
