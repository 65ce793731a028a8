package lab

import "testing"

func TestNearestFindsWhatWasMeantAndNothingElse(t *testing.T) {
	words := []string{"replicas", "requests", "runtime", "port", "path", "concurrency", "up"}
	for typed, want := range map[string]string{
		"replica":     "replicas",
		"repilcas":    "replicas",
		"Requests":    "requests",
		"conc":        "concurrency",
		"CONC":        "concurrency",
		"prot":        "port",
		"concurrency": "concurrency",
		"bandwidth":   "",
		"x":           "", // two edits from up, and nothing in common with it
		"zz":          "",
		"":            "",
	} {
		if got, found := Nearest(typed, words); got != want || found != (want != "") {
			t.Errorf("Nearest(%q) = %q, %v, want %q", typed, got, found, want)
		}
	}
	if got, found := Nearest("port", nil); found {
		t.Errorf("among no words, %q is near", got)
	}
}

func TestEditsIsADistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0},
		{"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"dant", "dnat", 2}, {"proxy", "prxy", 1},
	} {
		if got := edits(c.a, c.b); got != c.want {
			t.Errorf("edits(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := edits(c.b, c.a); got != c.want {
			t.Errorf("edits(%q, %q) = %d, want %d", c.b, c.a, got, c.want)
		}
	}
}
