package strategies

import (
	"context"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/step"
)

// steered is a program at a hook that leads to the replicas what comes to the
// front's addresses.
func steered(f lab.Facts, hook lab.BPFHook, method string, front lab.Front, to []lab.Replica) (lab.Step, error) {
	if len(to) == 0 {
		return nil, lab.Usagef("there is no replica to lead to")
	}
	return step.BPF{BPFProgram: lab.BPFProgram{
		Name: f.Run.Object("front"), Run: f.Run, Hook: hook, Method: method,
		Transport: f.Transport, Front: front.Endpoints(), Replicas: to,
	}}, nil
}

// hookProbe looks for a hook of BPF.
func hookProbe(hook lab.BPFHook) lab.Probe {
	return lab.Probe{Name: "BPF hook " + string(hook), Check: func(ctx context.Context, h lab.Host, ip lab.Family) error {
		return h.BPF().Supports(ctx, hook, ip)
	}}
}

// What holds for all programs of eBPF that portlab attaches.
const (
	needsPrivilege = "A program of eBPF takes root (CAP_BPF and CAP_NET_ADMIN outside of any user namespace)."
	endsWithHolder = "The program is held by the process that attached it and pinned nowhere: when that ends, however it ends, the kernel takes the program away. A daemon would pin it below /sys/fs/bpf."
)
