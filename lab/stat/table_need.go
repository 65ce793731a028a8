package stat

// NeededIndependent is how many observations of a table with independent rows
// and columns it takes until, with the given power, the bounds of V
// ([Table.Bounds]) lie below v. Of fewer than two rows or columns, or without a
// v above 0, there is no such number, and it is 0.
func NeededIndependent(rows, columns int, v, confidence, power float64) int {
	if rows < 2 || columns < 2 || !(v > 0) {
		return 0
	}
	df := float64((rows - 1) * (columns - 1))
	// The statistic is below its quantile with this power, and so is the bound
	// that follows from it.
	lambda := noncentrality(critical(df, 1-power), df, (1+confidence)/2)
	return ceil(lambda / (float64(min(rows, columns)-1) * v * v))
}
