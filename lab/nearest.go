package lab

import "strings"

// Nearest is the word that somebody who typed another probably meant: the one
// that takes the fewest edits to get to, or that begins with what was typed. It
// returns false where none is near enough to be worth a suggestion. Case does
// not count.
func Nearest(typed string, among []string) (string, bool) {
	typed = strings.ToLower(typed)
	best, least := "", tolerated(typed)+1
	for _, word := range among {
		d := edits(typed, strings.ToLower(word))
		if len(typed) > 1 && strings.HasPrefix(strings.ToLower(word), typed) {
			d = min(d, 1)
		}
		if d < least {
			best, least = word, d
		}
	}
	return best, best != ""
}

// tolerated is how many edits a mistyped word may be away from what was meant:
// two letters that changed places take two, a long word may have more, and
// where every letter has changed nothing is left to go by.
func tolerated(typed string) int {
	return min(max(2, len(typed)/3), len(typed)-1)
}

// edits is the Levenshtein distance: the least number of single-byte
// insertions, deletions and substitutions that turn a into b (V. I.
// Levenshtein, Binary codes capable of correcting deletions, insertions, and
// reversals, 1966).
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
