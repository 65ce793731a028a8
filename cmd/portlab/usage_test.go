package main

import "testing"

func TestNearestFindsWhatWasMeantAndNothingElse(t *testing.T) {
	words := []string{"replicas", "requests", "runtime", "port", "path", "concurrency"}
	for word, want := range map[string]string{
		"replica":     "replicas",
		"repilcas":    "replicas",
		"Requests":    "requests",
		"conc":        "concurrency",
		"prot":        "port",
		"bandwidth":   "",
		"x":           "",
		"concurrency": "concurrency",
	} {
		if got := nearest(word, words); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestEditsIsADistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2},
	} {
		if got := edits(c.a, c.b); got != c.want {
			t.Errorf("edits(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
