package load

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/portlab/portlab/lab"
)

func TestListsOfCPUs(t *testing.T) {
	usable, err := usableCPUs()
	if err != nil {
		t.Fatal(err)
	}
	first := usable[0]
	for list, want := range map[string][]int{
		"":                                 nil,
		fmt.Sprint(first):                  {first},
		fmt.Sprintf("%d,%d", first, first): {first},
		fmt.Sprintf("%d-%d", first, first): {first},
		listOf(usable):                     usable,
	} {
		if got, err := ParseCPUs(list); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q is %v (%v), want %v", list, got, err, want)
		}
	}
	for _, list := range []string{",", "0,", "x", "-1", "1-", "3-2", "0--1", "1023", "65536", "0 1"} {
		_, err := ParseCPUs(list)
		if _, ok := errors.AsType[*lab.UsageError](err); !ok {
			t.Errorf("%q gives error %v, want one of usage", list, err)
		}
	}
}

func TestListOfCPUs(t *testing.T) {
	for want, cpus := range map[string][]int{"": nil, "0": {0}, "0-3,8": {0, 1, 2, 3, 8}, "1,3,5-6": {1, 3, 5, 6}} {
		if got := listOf(cpus); got != want {
			t.Errorf("%v is written %q, want %q", cpus, got, want)
		}
	}
}
