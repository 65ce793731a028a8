package calibrate

import (
	"reflect"
	"testing"
)

// What runs beside what changes nothing: all that is carried out on all
// processors gives what it gives one after the other.
func TestStudiesSideBySide(t *testing.T) {
	studies, claims := falseAlarms(), judgements()
	carry := func(run func(n int, do func(i int))) (alarms [][]Alarms, judged []Judged) {
		alarms, judged = make([][]Alarms, len(studies)), make([]Judged, len(claims))
		run(len(studies), func(i int) { alarms[i] = studies[i].alarms(5, 1) })
		run(len(claims), func(i int) { judged[i] = claims[i].run(2, 1) })
		return alarms, judged
	}
	a, j := carry(each)
	inTurn := func(n int, do func(i int)) {
		for i := range n {
			do(i)
		}
	}
	if wantA, wantJ := carry(inTurn); !reflect.DeepEqual(a, wantA) || !reflect.DeepEqual(j, wantJ) {
		t.Error("side by side the studies give something else than one after the other")
	}
}
