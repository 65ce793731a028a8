package stat

import (
	"fmt"
	"slices"
)

// grid is a contingency table without empty rows and columns.
type grid struct {
	rows, columns []int   // totals
	cells         [][]int // row by row
	n             int
}

func newGrid(counts [][]int) (*grid, error) {
	if len(counts) == 0 {
		return &grid{}, nil
	}
	columns := make([]int, len(counts[0]))
	for _, row := range counts {
		if len(row) != len(columns) {
			return nil, fmt.Errorf("a row of %d counts in a table of %d columns", len(row), len(columns))
		}
		for j, c := range row {
			if c < 0 {
				return nil, fmt.Errorf("a count cannot be %d", c)
			}
			columns[j] += c
		}
	}
	g := &grid{}
	for _, row := range counts {
		g.addRow(row, columns)
	}
	for _, c := range columns {
		if c > 0 {
			g.columns = append(g.columns, c)
		}
	}
	return g, nil
}

// addRow takes a row over without the columns whose total is 0.
func (g *grid) addRow(row, columns []int) {
	var kept []int
	total := 0
	for j, c := range row {
		if columns[j] > 0 {
			kept = append(kept, c)
			total += c
		}
	}
	if total > 0 {
		g.rows, g.cells, g.n = append(g.rows, total), append(g.cells, kept), g.n+total
	}
}

func (g *grid) expected(i, j int) float64 {
	return float64(g.rows[i]) * float64(g.columns[j]) / float64(g.n)
}

func (g *grid) smallest() float64 {
	return float64(slices.Min(g.rows)) * float64(slices.Min(g.columns)) / float64(g.n)
}

// pearson is Pearson's statistic of cells with the margins of the grid.
func (g *grid) pearson(cells [][]int) float64 {
	var x float64
	for i, row := range cells {
		for j, c := range row {
			e := g.expected(i, j)
			x += (float64(c) - e) * (float64(c) - e) / e
		}
	}
	return x
}

// permute is the p-value of a statistic over tables with the same margins: the
// columns of all observations are dealt to the rows at random.
func (g *grid) permute(statistic float64, draws int, seed uint64) float64 {
	deck := make([]int, 0, g.n)
	for j, c := range g.columns {
		deck = append(deck, slices.Repeat([]int{j}, c)...)
	}
	cells := make([][]int, len(g.rows))
	for i := range cells {
		cells[i] = make([]int, len(g.columns))
	}
	rng := newRand(seed)
	limit := statistic - 1e-9*(1+statistic)
	hits := 0
	for range draws {
		rng.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
		g.deal(deck, cells)
		if g.pearson(cells) >= limit {
			hits++
		}
	}
	return monteCarlo(hits, draws)
}

// deal counts the columns that a shuffled deck gives to each row.
func (g *grid) deal(deck []int, cells [][]int) {
	at := 0
	for i, total := range g.rows {
		clear(cells[i])
		for _, j := range deck[at : at+total] {
			cells[i][j]++
		}
		at += total
	}
}
