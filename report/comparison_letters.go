package report

import (
	"slices"
	"strings"

	"github.com/portlab/portlab/lab/compare"
)

// groupLetters name groups of arms that cannot be told apart.
const groupLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// letters gives each arm the letters of the groups that it is in: two arms that
// share one cannot be told apart in this metric, and two that share none can
// (the compact letter display of Piepho, 2004, "An Algorithm for a Letter-Based
// Representation of All-Pairwise Comparisons", by insertion and absorption).
// The best arm has an a. It is nil where there are more groups than letters.
func (d *digest) letters(m compare.Metric) map[string]string {
	arms := d.ranked(m)
	groups := [][]int{nil}
	for i := range arms {
		groups[0] = append(groups[0], i)
	}
	for i := range arms {
		for j := i + 1; j < len(arms); j++ {
			if d.alike(arms[i], arms[j], m.Name) {
				continue
			}
			if groups = apart(groups, i, j); len(groups) > len(groupLetters) {
				return nil
			}
		}
	}
	slices.SortFunc(groups, slices.Compare[[]int])
	all := map[string]string{}
	for g, members := range groups {
		for _, i := range members {
			all[arms[i]] += groupLetters[g : g+1]
		}
	}
	return all
}

// apart parts every group that holds both i and j, and drops the groups that
// are then part of another.
func apart(groups [][]int, i, j int) [][]int {
	var parted [][]int
	for _, g := range groups {
		if slices.Contains(g, i) && slices.Contains(g, j) {
			parted = append(parted, without(g, i), without(g, j))
		} else {
			parted = append(parted, g)
		}
	}
	var kept [][]int
	for k, g := range parted {
		within := func(l int, other []int) bool {
			return l != k && isSubset(g, other) && (len(g) < len(other) || l < k)
		}
		absorbed := false
		for l, other := range parted {
			absorbed = absorbed || within(l, other)
		}
		if !absorbed {
			kept = append(kept, g)
		}
	}
	return kept
}

func without(g []int, x int) []int {
	return slices.DeleteFunc(slices.Clone(g), func(y int) bool { return y == x })
}

func isSubset(a, of []int) bool {
	return !slices.ContainsFunc(a, func(x int) bool { return !slices.Contains(of, x) })
}

// leaders are the best of arms in a metric, and those that cannot be told from
// the best, in order.
func (d *digest) leaders(m compare.Metric, arms []string) (best string, alike []string) {
	for _, arm := range d.ranked(m) {
		switch {
		case !slices.Contains(arms, arm):
		case best == "":
			best = arm
		case d.alike(best, arm, m.Name):
			alike = append(alike, arm)
		}
	}
	return best, alike
}

// some joins the first few of names: "a, b and 7 more".
func some(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:most], ", ") + " and " + whole(len(names)-most) + " more"
}
