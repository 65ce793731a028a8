package servers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"syscall"
	"text/template"
	"time"
)

// askAgain is how long the generator waits before it asks an engine once more
// that has gone away.
const askAgain = time.Second

// programGrace is how long the generator's program may take to end.
const programGrace = 3 * time.Second

// generator keeps a program's configuration to the containers of an engine.
type generator struct {
	GeneratorConfig
	engine  *containerEngine
	text    *template.Template
	log     *log.Logger
	written []byte // the output as it is
	// gone are the containers that have ended, by id: Docker 20.10 tells of an end
	// before it takes the container off its list, and then says no more.
	gone map[string]bool
}

// RunGenerator starts a program whose configuration is made from a template and
// from the containers that an engine runs, and keeps it to them until ctx ends;
// then it sends the program SIGTERM and waits for it. On each event of a
// container it makes the configuration anew, and where that is another it sends
// the program SIGHUP: this is what docker-gen does for nginx-proxy
// (docker-gen -watch -notify), with no pause to gather events in.
//
// Errors: [ErrConfig] for a bad file or template, what the engine said at first,
// or that the program ended by itself. An engine that goes away later is asked
// again every second, and all stays as it was until it answers.
func RunGenerator(ctx context.Context, configPath string, logTo io.Writer) error {
	c, err := ReadGeneratorConfig(configPath)
	if err != nil {
		return err
	}
	text, err := template.ParseFiles(c.Template)
	if err != nil {
		return fmt.Errorf("%w: the generator's template: %w", ErrConfig, err)
	}
	g := &generator{
		GeneratorConfig: c, text: text, log: log.New(logTo, "generate: ", 0),
		engine: newContainerEngine(c.Engine, c.Labels), gone: map[string]bool{},
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	// Before the list is asked for, so that no event is missed in between.
	events, err := g.engine.events(ctx)
	if err != nil {
		return err
	}
	if _, err := g.generate(ctx); err != nil {
		return errors.Join(err, events.Close())
	}
	return g.run(ctx, stop, events, logTo)
}

// run runs the program to its end, and follows events meanwhile.
func (g *generator) run(ctx context.Context, stop func(), events io.ReadCloser, logTo io.Writer) error {
	program := exec.CommandContext(ctx, g.Command[0], g.Command[1:]...)
	program.Stdout, program.Stderr = logTo, logTo
	program.Cancel = func() error { return program.Process.Signal(syscall.SIGTERM) }
	program.WaitDelay = programGrace
	// It inherits this, so that a signal that comes before it has a handler of its
	// own does not end it. What it starts with is as new then.
	signal.Ignore(syscall.SIGHUP)
	defer signal.Reset(syscall.SIGHUP)
	if err := program.Start(); err != nil {
		return errors.Join(fmt.Errorf("start %s: %w", g.Command[0], err), events.Close())
	}
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		g.follow(ctx, events, program.Process)
	}()
	err := program.Wait()
	told := ended(ctx)
	stop()
	<-followed
	switch {
	case told:
		return nil
	case err == nil:
		err = errors.New("exit status 0")
	}
	return fmt.Errorf("%s ended by itself: %w", g.Command[0], err)
}

// follow takes events until ctx ends.
func (g *generator) follow(ctx context.Context, events io.ReadCloser, program *os.Process) {
	for {
		for each, e := json.NewDecoder(events), (containerEvent{}); each.Decode(&e) == nil; {
			g.gone[e.Actor.ID] = e.Action != "start"
			g.update(ctx, program)
		}
		clear(g.gone)      // the next list is of a later day
		_ = events.Close() // it has ended
		for events = nil; events == nil; {
			select {
			case <-ctx.Done():
				return
			case <-time.After(askAgain):
			}
			var err error
			if events, err = g.engine.events(ctx); err != nil {
				g.log.Printf("not followed, the configuration stays: %v", err)
			}
		}
		g.update(ctx, program)
	}
}

// update makes the configuration anew and tells the program of another one.
func (g *generator) update(ctx context.Context, program *os.Process) {
	changed, err := g.generate(ctx)
	if err == nil && changed {
		err = program.Signal(syscall.SIGHUP)
	}
	if err != nil && !ended(ctx) {
		g.log.Printf("not followed, the configuration stays: %v", err)
	}
}

// generate writes the output, in one step (rename(2)), if it is not so already.
func (g *generator) generate(ctx context.Context) (changed bool, err error) {
	all, err := g.engine.containers(ctx)
	if err != nil {
		return false, err
	}
	all = slices.DeleteFunc(all, func(c Container) bool { return g.gone[c.ID] })
	var b bytes.Buffer
	if err := g.text.Execute(&b, all); err != nil {
		return false, fmt.Errorf("%w: the generator's template: %w", ErrConfig, err)
	}
	if bytes.Equal(b.Bytes(), g.written) {
		return false, nil
	}
	fresh := g.Output + ".new"
	if err := os.WriteFile(fresh, b.Bytes(), 0o644); err != nil {
		return false, fmt.Errorf("write %s: %w", g.Output, err)
	}
	if err := os.Rename(fresh, g.Output); err != nil {
		return false, fmt.Errorf("write %s: %w", g.Output, err)
	}
	g.written = b.Bytes()
	g.log.Printf("%s is for %d containers", g.Output, len(all))
	return true, nil
}
