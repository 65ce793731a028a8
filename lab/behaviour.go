package lab

// Behaviour is what a balancer seems to do with connections, judged by what was
// seen alone, whatever its strategy says.
type Behaviour struct {
	Name     Pattern `json:"name"`
	Sentence string  `json:"sentence"` // what it was told by, for people
}

// Pattern is a way to spread connections, as far as it can be told from others.
type Pattern string

// The patterns. Where two cannot be told apart by what was seen, the pattern is
// of both.
const (
	LooksRandom         Pattern = "random"
	LooksHash           Pattern = "hash" // of addresses and ports
	LooksRandomOrHash   Pattern = "random or hash"
	LooksRoundRobin     Pattern = "round robin"
	LooksTooEven        Pattern = "more even than chance" // as least connections are, or several workers in turn
	LooksSticky         Pattern = "sticky by source"
	LooksSingle         Pattern = "one instance only"
	LooksSingleOrSticky Pattern = "one instance only or sticky by source"
	LooksPositional     Pattern = "skewed by position"
	LooksUneven         Pattern = "uneven"  // by no rule that is known here
	LooksInRuns         Pattern = "in runs" // neighbours go to the same instance, addresses or not
	LooksOpen           Pattern = "cannot tell"
)

// Patterns lists them all.
func Patterns() []Pattern {
	return []Pattern{
		LooksRandom, LooksHash, LooksRandomOrHash, LooksRoundRobin, LooksTooEven, LooksSticky, LooksSingle,
		LooksSingleOrSticky, LooksPositional, LooksUneven, LooksInRuns, LooksOpen,
	}
}
