package main

import (
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAgainKeepsWhatChangesTheMeasurement(t *testing.T) {
	a := &app{stdout: io.Discard, stderr: io.Discard, getenv: func(string) string { return "" }}
	c := a.runCommand()
	typed := "--replicas 4 --weights 3,1.5,1,10 --claim loss<1% --claim uniform --timeout 500ms --out here --format json --seed 0 -q --assert --keep --runtime auto --rate 250.5 --duration 2s --keep-alive --cpus 0"
	if err := c.ParseFlags(strings.Fields(typed)); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(again(c, []string{"dnat"}, "--runtime", "netns", "--seed", "7"), " ")
	want := "portlab run dnat --assert=true --claim loss<1% --claim uniform --cpus 0 --duration 2s --keep-alive=true --rate 250.5 --replicas 4 --timeout 500ms --weights 3,1.5,1,10 --runtime netns --seed 7"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
