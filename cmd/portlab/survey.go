package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/netns"
	"github.com/portlab/portlab/strategies"
)

// survey is what a runtime offers here. As JSON it goes from a world to the
// process outside, and nowhere else.
type survey struct {
	Runtime listedRuntime `json:"runtime"`
	// Strategies gives, for each strategy and each with one setting changed, by
	// its full name, why it cannot run; empty if it can.
	Strategies map[string]string `json:"strategies"`
	Findings   []finding         `json:"findings"` // the runtime itself first
	// UserNamespace is that of the process that looked, as /proc/self/ns/user has it.
	UserNamespace string `json:"user_namespace"`
}

// probeCommand has a world looked at from inside.
func (a *app) probeCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "probe",
		Short:  "say what the runtime of this world offers, as JSON",
		Hidden: true,
		Args:   exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			for _, r := range a.candidates(a.world.runtime) {
				return printJSON(a.stdout, a.survey(c.Context(), r))
			}
			return fmt.Errorf("there is no runtime %s", a.world.runtime)
		},
	}
}

// surveyAll looks at every runtime: at one that needs a world, in a world.
func (a *app) surveyAll(ctx context.Context) []survey {
	var all []survey
	for _, r := range a.runtimes {
		if !a.outside(r) {
			all = append(all, a.survey(ctx, r))
			continue
		}
		s, err := a.surveyInside(ctx)
		if err != nil {
			s = unusable(r, err)
		}
		all = append(all, s)
	}
	return all
}

// surveyInside makes a world, and has its survey.
func (a *app) surveyInside(ctx context.Context) (survey, error) {
	var stdout, stderr bytes.Buffer
	status, err := a.world.enter(ctx, netns.World{Args: []string{"probe"}, Stdout: &stdout, Stderr: &stderr})
	if err != nil {
		return survey{}, err
	}
	if status == statusCannotRun {
		return survey{}, &lab.UnsupportedError{Reason: said(stderr.String())}
	}
	var s survey
	if err := json.Unmarshal(stdout.Bytes(), &s); err != nil || status != statusMeasured {
		return survey{}, fmt.Errorf("look into a world: exit status %d: %s", status, said(stderr.String()))
	}
	if own, err := os.Readlink("/proc/self/ns/user"); err == nil && own != s.UserNamespace {
		s.Findings[0].Detail += ", without root"
	}
	return s, nil
}

// said is what a program said on its standard error, without its name.
func said(text string) string { return strings.TrimPrefix(strings.TrimSpace(text), "portlab: ") }

// survey looks at a runtime from where this process is.
func (a *app) survey(ctx context.Context, r lab.Runtime) survey {
	host, err := r.Host(ctx)
	if err != nil {
		return unusable(r, err)
	}
	s := survey{Runtime: listedRuntime{Name: r.Name(), Usable: true}, Strategies: map[string]string{}}
	s.UserNamespace, _ = os.Readlink("/proc/self/ns/user") // unknown is as good as the same
	for _, x := range strategies.Variants() {
		err := r.Supports(x.Needs().Fleet(lab.FleetSpec{Family: lab.IPv4, Replicas: 1}))
		if err == nil {
			err = lab.Probed(ctx, host, x, lab.IPv4)
		}
		s.Strategies[lab.FullName(x)] = reason(err)
	}
	s.Findings = append(s.Findings, engine(ctx, r))
	for _, f := range a.inspect.host(host, a.world.inside) {
		f.Runtime = r.Name()
		s.Findings = append(s.Findings, f)
	}
	return s
}

// unusable is the survey of a runtime that does not work here.
func unusable(r lab.Runtime, err error) survey {
	s := survey{
		Runtime:    listedRuntime{Name: r.Name(), Reason: reason(err)},
		Strategies: map[string]string{}, Findings: []finding{runtimeFinding(r).not(err)},
	}
	for _, x := range strategies.Variants() {
		s.Strategies[lab.FullName(x)] = s.Runtime.Reason
	}
	return s
}

// runtimeFinding is that a runtime works.
func runtimeFinding(r lab.Runtime) finding {
	return finding{Name: "runtime " + r.Name(), State: present, Detail: "works here", Required: true, Runtime: r.Name()}
}

// engine says in which version a runtime's engine works, if it has one.
func engine(ctx context.Context, r lab.Runtime) finding {
	f := runtimeFinding(r)
	v, ok := r.(interface {
		Version(context.Context) (string, error)
	})
	if !ok {
		return f
	}
	version, err := v.Version(ctx)
	if err != nil {
		return f.not(err)
	}
	f.Detail = "engine " + version
	return f
}

// mainJob is the runtime that portlab run dnat takes, and why not those before
// it. Where it can take none, the error says why.
func (a *app) mainJob(ctx context.Context, surveys []survey) (string, []ruledOut, error) {
	t, err := a.trial("dnat", a.addFleetFlags(&cobra.Command{}))
	if err != nil {
		return "", nil, err
	}
	passed, err := a.choose(ctx, t, anyRuntime)
	if err != nil {
		return "", nil, err
	}
	name := t.Runtime.Name()
	for _, s := range surveys {
		if why := s.Strategies["dnat"]; s.Runtime.Name == name && why != "" {
			return "", nil, noRuntimeError(append(passed, ruledOut{name, errors.New(why)}))
		}
	}
	return name, passed, nil
}
