package report

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/portlab/portlab/lab"
)

// impaired is a result of which the path was made worse in every way.
func impaired() (*lab.Result, lab.SampleList) {
	r, samples := fixtures()[0].make()
	r.Impairments = []lab.TimedImpairment{
		{Impairment: lab.Impairment{
			Delay: 20 * time.Millisecond, Jitter: time.Millisecond, LossPercent: 0.5, DuplicatePercent: 1, CorruptPercent: 1,
			ReorderPercent: 25, Rate: 1e6, Limit: 10,
		}},
		{At: time.Second},
	}
	return r, samples
}

func TestReportsSayThatThePathWasImpaired(t *testing.T) {
	const want = "impaired, each way: delay=20ms, jitter=1ms, loss=0.5%, duplicate=1%, corrupt=1%, reorder=25%, rate=1mbit, limit=10; then none@1s"
	r, samples := impaired()
	var text, page bytes.Buffer
	if err := Text(&text, r, false); err != nil {
		t.Fatal(err)
	}
	if err := writeMarkdown(&page, r, samples, nil); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(strings.Fields(text.String()), " "); !strings.Contains(got, want) {
		t.Errorf("the text does not say it:\n%s", text.String())
	}
	if !strings.Contains(page.String(), want) {
		t.Error("the page does not say it")
	}
}

func TestTheSchemaHasEveryPartOfAnImpairment(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	r, _ := impaired()
	var b bytes.Buffer
	if err := JSON(&b, r); err != nil {
		t.Fatal(err)
	}
	object, err := jsonschema.UnmarshalJSON(&b)
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(object); err != nil {
		t.Error(err)
	}
	r.Impairments[0].Impairment.LossPercent = 101
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if object, err = jsonschema.UnmarshalJSON(bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	if schema.Validate(object) == nil {
		t.Error("the schema takes a loss of 101%")
	}
}

// What a path did to one load it did not do to another.
func TestRunsOnOtherPathsAreNotMerged(t *testing.T) {
	a, _ := impaired()
	b, _ := fixtures()[0].make()
	if _, err := Merge([]*lab.Result{a, b}); err == nil || !strings.Contains(err.Error(), "impairments of the path") {
		t.Errorf("error %v", err)
	}
	b, _ = impaired()
	if _, err := Merge([]*lab.Result{a, b}); err != nil {
		t.Error(err)
	}
}
