package netns

import (
	"context"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
)

// Usage implements [lab.Metered]. A replica that was killed has used what it
// had by then; one that was removed is forgotten.
func (f *fleet) Usage(context.Context) (lab.Usage, error) {
	f.mu.Lock()
	var replicas []int
	for instance, p := range f.replicas {
		if _, gone := f.killed[instance]; !gone {
			replicas = append(replicas, p.PID())
		}
	}
	var gone lab.Consumption
	for _, c := range f.killed {
		gone.CPU += c.CPU
	}
	f.mu.Unlock()
	u, err := kernel.UsageOf(replicas, f.sidecars.PIDs())
	u.Replicas.CPU += gone.CPU
	return u, err
}

// Kill implements [lab.Killer]. The replica stays in the blueprint, and its
// namespace and address stay: nobody has been told that it is gone, and what
// connects to it is refused.
func (f *fleet) Kill(_ context.Context, instance string) error {
	p, err := f.find(instance)
	if err != nil {
		return err
	}
	last, err := kernel.UsageOf([]int{p.PID()}, nil)
	if err != nil {
		return err
	}
	p.Kill()
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, twice := f.killed[instance]; !twice {
		f.killed[instance] = last.Replicas
	}
	return nil
}
