package load

import "context"

// Local is the place of a client in the process's own network namespace. It
// implements lab.Place.
type Local struct{}

// Do runs f on the calling goroutine. It returns f's error, or ctx's if ctx
// has ended before.
func (Local) Do(ctx context.Context, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return f()
}

// Shell is empty: a command runs here as it is.
func (Local) Shell() string { return "" }
