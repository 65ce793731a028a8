package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
)

// bpfCommand is a program of BPF by hand, as explain prints it: there is no
// command of others that assembles one.
func (a *app) bpfCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "bpf --hook HOOK --front ADDRESS:PORT --replica INSTANCE=ADDRESS:PORT",
		Short: "attach a program that picks a replica, and hold it",
		Long: `bpf attaches a program of BPF in the network namespace where it is started, and
takes it away again when it is told to end. It waits ten seconds for the replicas
to listen. INSTANCE is the variable of that name that each was started with.

  --hook       reuseport-cbpf, reuseport-ebpf, sk-lookup or connect
  --method     random, rr (not reuseport-cbpf), or hash (sk-lookup only)
  --transport  tcp or udp
  --front      an address that clients use; may be given several times
  --replica    INSTANCE=ADDRESS:PORT, or with a weight INSTANCE=ADDRESS:PORT*3;
               may be given several times`,
		Hidden:             true,
		DisableFlagParsing: true, // the words are those that explain prints
	}
	c.RunE = func(c *cobra.Command, words []string) error {
		if slices.Contains(words, "--help") || slices.Contains(words, "-h") {
			return c.Help()
		}
		p, err := lab.ParseBPFProgram(words)
		if err != nil {
			return err
		}
		return holdProgram(c.Context(), p)
	}
	return c
}

// holdProgram attaches a program until ctx ends, which is as it should be.
func holdProgram(ctx context.Context, p lab.BPFProgram) (err error) {
	ns, err := kernel.Own()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ns.Close()) }()
	bpf := kernel.NewHost(ns, nil).BPF()
	// By hand, replicas are started a moment ago.
	const patience, pause = 10 * time.Second, 50 * time.Millisecond
	err = bpf.Attach(ctx, p)
	for end := time.Now().Add(patience); errors.Is(err, kernel.ErrNobodyListens) && time.Now().Before(end); err = bpf.Attach(ctx, p) {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
	if err != nil {
		return err
	}
	<-ctx.Done()
	return bpf.Detach(context.WithoutCancel(ctx), p.Name)
}
