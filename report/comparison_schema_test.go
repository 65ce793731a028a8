package report

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/portlab/portlab/lab/compare"
)

const comparisonSchemaFile = "../docs/comparison.schema.json"

// comparisonSchema is compiled with the one of a result, which it refers to,
// taken from beside it and not from where its $id is.
func comparisonSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	for _, file := range []string{schemaFile, comparisonSchemaFile} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource(doc.(map[string]any)["$id"].(string), doc); err != nil {
			t.Fatal(err)
		}
	}
	schema, err := c.Compile("https://github.com/portlab/portlab/docs/comparison.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func comparisonObject(t *testing.T, c *compare.Comparison) map[string]any {
	t.Helper()
	var b bytes.Buffer
	if err := ComparisonJSON(&b, c); err != nil {
		t.Fatal(err)
	}
	object, err := jsonschema.UnmarshalJSON(&b)
	if err != nil {
		t.Fatal(err)
	}
	return object.(map[string]any)
}

func TestComparisonFitsItsSchema(t *testing.T) {
	schema := comparisonSchema(t)
	for _, f := range contests {
		if err := schema.Validate(comparisonObject(t, f.make())); err != nil {
			t.Errorf("%s: %v", f.name, err)
		}
	}
	ended := &compare.Comparison{SchemaVersion: compare.SchemaVersion, Vantage: "host", Family: 4, Replicas: 2, Plan: plan(), Stop: compare.Stop{Planned: 8}}
	if err := schema.Validate(comparisonObject(t, ended)); err != nil {
		t.Errorf("one that ended before its first run: %v", err)
	}
}

func TestComparisonSchemaRefusesWhatIsNone(t *testing.T) {
	schema := comparisonSchema(t)
	first := func(o map[string]any, name string) map[string]any { return o[name].([]any)[0].(map[string]any) }
	for name, spoil := range map[string]func(map[string]any){
		"no arms":           func(o map[string]any) { delete(o, "arms") },
		"pairs null":        func(o map[string]any) { o["pairs"] = nil },
		"unknown order":     func(o map[string]any) { first(o, "pairs")["order"] = "third" },
		"unknown answer":    func(o map[string]any) { first(o, "traits")["answer"] = "maybe" },
		"verdict of no arm": func(o map[string]any) { delete(first(o, "verdicts"), "arm") },
		"unknown outcome":   func(o map[string]any) { first(o, "verdicts")["outcome"] = "maybe" },
		"unknown null":      func(o map[string]any) { first(o, "arms")["null"] = "none" },
		"bad plan":          func(o map[string]any) { o["plan"].(map[string]any)["protocol"] = "gopher" },
		"later version":     func(o map[string]any) { o["schema_version"] = compare.SchemaVersion + 1 },
	} {
		object := comparisonObject(t, noisyContest())
		spoil(object)
		if err := schema.Validate(object); err == nil {
			t.Errorf("%s: the schema accepts it", name)
		}
	}
}

func TestComparisonSchemaHasTheFieldsAndNoOthers(t *testing.T) {
	parse := func(file string) (root *node) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, place := range []string{"$defs", "properties"} { // both become definitions of the one
			data = bytes.ReplaceAll(data, []byte(`"result.schema.json#/`+place+`/`), []byte(`"#/$defs/`))
		}
		if err := json.Unmarshal(data, &root); err != nil {
			t.Fatal(err)
		}
		return root
	}
	root := parse(comparisonSchemaFile)
	result := parse(schemaFile)
	defs := result.Defs
	defs["faults"], defs["null"] = result.Properties["faults"], result.Properties["null"]
	for name, n := range root.Defs {
		if defs[name] != nil {
			t.Errorf("both schemas define %s", name)
		}
		defs[name] = n
	}
	// A claim held against an arm is a verdict with one more field, which Go embeds.
	held := defs["arm_verdict"]
	of := reflect.TypeFor[compare.Verdict]()
	if names := sortedKeys(held.Properties); !slices.Equal(names, []string{"arm"}) || of.NumField() != 2 || !of.Field(1).Anonymous {
		t.Errorf("a claim held against an arm has %v beside a verdict's fields", names)
	}
	defs["arm_verdict"] = &node{Description: held.Description} // its fields are looked at above
	sameFields(t, "comparison", reflect.TypeFor[compare.Comparison](), root, defs)
	if diff := cmp.Diff(sortedKeys(root.Properties), sortedKeys(comparisonObject(t, noisyContest()))); diff != "" {
		t.Errorf("fields (-schema +JSON):\n%s", diff)
	}
}
