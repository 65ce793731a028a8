package report

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/portlab/portlab/lab"
)

const schemaFile = "../docs/result.schema.json"

func TestJSONFitsItsSchema(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	check := func(t *testing.T, r *lab.Result) {
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
	}
	for _, f := range fixtures() {
		t.Run(f.name, func(t *testing.T) {
			r, _ := f.make()
			check(t, r)
		})
	}
	t.Run("refused by the host", func(t *testing.T) { check(t, refusal()) })
}

// refusal is the result of a run that ended before there were replicas.
func refusal() *lab.Result {
	return &lab.Result{
		SchemaVersion: lab.SchemaVersion, Run: "k3f9a2", Strategy: "publish", Runtime: "docker", Vantage: lab.OnHost,
		Null: lab.Single, Replicas: 2, Plan: plan(), ClientAddress: lab.AddressUnknown,
		Verdicts: []lab.Verdict{{Claim: "no request fails", Outcome: lab.RefusedByHost, Sentence: "the host refused: address already in use"}},
	}
}

func TestSchemaRefusesWhatIsNoResult(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(map[string]any){
		"no verdicts":      func(o map[string]any) { delete(o, "verdicts") },
		"verdicts null":    func(o map[string]any) { o["verdicts"] = nil },
		"unknown outcome":  func(o map[string]any) { o["verdicts"].([]any)[0].(map[string]any)["outcome"] = "maybe" },
		"unknown fault":    func(o map[string]any) { o["faults"] = map[string]any{"gone": 1} },
		"later version":    func(o map[string]any) { o["schema_version"] = lab.SchemaVersion + 1 },
		"share over 1":     func(o map[string]any) { o["instances"].([]any)[0].(map[string]any)["share"] = 1.5 },
		"fraction of a ns": func(o map[string]any) { o["elapsed_ns"] = 0.5 },
	} {
		object := object(t, fixtures()[0])
		spoil(object)
		if err := schema.Validate(object); err == nil {
			t.Errorf("%s: the schema accepts it", name)
		}
	}
}

// object is a fixture's JSON, decoded without types.
func object(t *testing.T, f fixture) map[string]any {
	t.Helper()
	r, _ := f.make()
	var b bytes.Buffer
	if err := JSON(&b, r); err != nil {
		t.Fatal(err)
	}
	var o map[string]any
	if err := json.Unmarshal(b.Bytes(), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

type node struct {
	Ref        string           `json:"$ref"`
	Properties map[string]*node `json:"properties"`
	Items      *node            `json:"items"`
	Defs       map[string]*node `json:"$defs"`

	Description string `json:"description"`
}

func TestSchemaHasTheFieldsOfResultAndNoOthers(t *testing.T) {
	data, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	root := &node{}
	if err := json.Unmarshal(data, root); err != nil {
		t.Fatal(err)
	}
	sameFields(t, "result", reflect.TypeFor[lab.Result](), root, root.Defs)
}

// sameFields compares a struct's JSON names with a schema's properties, all the way down.
func sameFields(t *testing.T, at string, typ reflect.Type, n *node, defs map[string]*node) {
	description := n.Description
	if n.Ref != "" {
		n = defs[strings.TrimPrefix(n.Ref, "#/$defs/")]
	}
	if description == "" && n.Description == "" {
		t.Errorf("%s has no description", at)
	}
	for typ.Kind() == reflect.Slice || typ.Kind() == reflect.Pointer {
		if typ.Kind() == reflect.Slice && n.Items != nil {
			n, at = n.Items, at+"[]"
		}
		if n.Ref != "" {
			n = defs[strings.TrimPrefix(n.Ref, "#/$defs/")]
		}
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct || n.Properties == nil {
		return
	}
	var names []string
	for field := range typ.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		names = append(names, name)
		if p := n.Properties[name]; p != nil {
			sameFields(t, at+"."+name, field.Type, p, defs)
		}
	}
	slices.Sort(names)
	if diff := cmp.Diff(names, sortedKeys(n.Properties)); diff != "" {
		t.Errorf("%s: fields (-Go +schema):\n%s", at, diff)
	}
}

func TestJSONHasNoNullList(t *testing.T) {
	o := map[string]any{}
	var b bytes.Buffer
	r := refusal()
	if err := JSON(&b, r); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b.Bytes(), &o); err != nil {
		t.Fatal(err)
	}
	for name, value := range o {
		if value == nil {
			t.Errorf("%s is null", name)
		}
	}
	if w := o["verdicts"].([]any)[0].(map[string]any)["warnings"]; w == nil {
		t.Error("verdicts[0].warnings is null")
	}
	if r.Command != nil || r.Verdicts[0].Warnings != nil {
		t.Error("JSON changed the result that it was given")
	}
}

func TestJSONNamesTheNumberThatIsNotFinite(t *testing.T) {
	for name, spoil := range map[string]func(*lab.Result){
		"result.Verdicts[0].Statistic": func(r *lab.Result) { r.Verdicts[0].Statistic = new(math.NaN()) },
		"result.Verdicts[0].Interval":  func(r *lab.Result) { r.Verdicts[0].Interval = &[2]float64{0, math.Inf(1)} },
		"result.Instances[1].Share":    func(r *lab.Result) { r.Instances[1].Share = math.NaN() },
	} {
		r, _ := fixtures()[0].make()
		spoil(r)
		if err := JSON(&bytes.Buffer{}, r); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// The names that issue 2 promises to scripts.
func TestContractForScripts(t *testing.T) {
	o := object(t, fixtures()[0])
	has := func(o map[string]any, names ...string) {
		for _, name := range names {
			if _, ok := o[name]; !ok {
				t.Errorf("there is no %s", name)
			}
		}
	}
	has(o, "schema_version", "strategy", "runtime", "vantage", "replicas", "plan", "connections", "requests",
		"faults", "instances", "verdicts", "environment", "timings_ns")
	instance := o["instances"].([]any)[0].(map[string]any)
	has(instance, "name", "connections", "requests", "share", "latency")
	has(instance["latency"].(map[string]any), "p50_ns", "p90_ns", "p99_ns", "p999_ns", "max_ns")
	has(o["verdicts"].([]any)[0].(map[string]any),
		"claim", "outcome", "statistic", "p_value", "effect", "interval", "n", "warnings")
}
