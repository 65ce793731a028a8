package lab_test

import (
	"errors"
	"testing"

	"github.com/portlab/portlab/lab"
)

// anonymous is a rig whose server is the user's own, and whose fleet counts 2
// connections of foo and 6 of bar under load.
func anonymous() *rig {
	r := newRig()
	r.Fleet.Image = "nginx"
	r.runtime.fleet = &counting{fleet{r.scene}, []map[string]uint64{{"foo": 5, "bar": 7}, {"foo": 7, "bar": 13}}}
	r.driver.reply = func(lab.Plan, int) lab.Sample { return lab.Sample{} }
	return r
}

func TestConnectionsAreCountedFromOutsideWhereNoAnswerHasAName(t *testing.T) {
	r := anonymous()
	res, _, err := r.run(t)
	if err != nil {
		t.Fatal(err)
	}
	foo, bar := res.Instances[0], res.Instances[1]
	if !res.CountedOutside || foo.Connections != 2 || bar.Connections != 6 || bar.Share != 0.75 {
		t.Errorf("outside %v, %+v and %+v; want 2 and 6 connections", res.CountedOutside, foo, bar)
	}
	r.did(t, "host", "open", "apply a", "apply b", "count", "load", "count", "revert b", "revert a", "close")
}

func TestConnectionsAreNotCountedFromOutsideWhereAnswersSay(t *testing.T) {
	for name, change := range map[string]func(*rig){
		"one answer has a name": func(r *rig) {
			r.driver.reply = func(_ lab.Plan, i int) lab.Sample {
				if i == 3 {
					return lab.Sample{Instance: "foo"}
				}
				return lab.Sample{}
			}
		},
		"nobody answered": func(r *rig) {
			r.driver.reply = func(p lab.Plan, _ int) lab.Sample {
				if p.Requests > 1 {
					return lab.Sample{Fault: lab.Reset}
				}
				return lab.Sample{}
			}
		},
		"the server is the instrumented one": func(r *rig) {
			r.Fleet.Image = ""
			r.driver.reply = func(p lab.Plan, _ int) lab.Sample {
				if p.Requests == 1 { // until the front answers
					return lab.Sample{Instance: "foo"}
				}
				return lab.Sample{}
			}
		},
		"the fleet cannot count": func(r *rig) { r.runtime.fleet = fleet{r.scene} },
	} {
		r := anonymous()
		change(r)
		res, _, err := r.run(t)
		if err != nil || res.CountedOutside {
			t.Errorf("%s: error %v, counted outside %v", name, err, res.CountedOutside)
		}
	}
}

func TestCountThatFailsFailsTheRun(t *testing.T) {
	r := anonymous()
	r.fail["count"] = errSaid
	if _, _, err := r.run(t); !errors.Is(err, errSaid) {
		t.Errorf("got %v, want what the system said", err)
	}
	r.did(t, "host", "open", "apply a", "apply b", "count", "revert b", "revert a", "close")
}
