package kernel

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// Impair has each of these ends of links do this to the packets that it sends,
// by a queueing discipline of NETEM (tc-netem(8)) that goes with the link. One
// that is there is changed in place, so that no packet is lost which it holds. It
// returns an [lab.UnsupportedError] where the kernel has no NETEM.
func Impair(ctx context.Context, to lab.Impairment, ends ...End) error {
	for _, e := range ends {
		err := e.In.Do(ctx, func() error {
			link, err := netlink.LinkByName(e.Name)
			if err != nil {
				return fmt.Errorf("find the link %s: %w", e.Name, err)
			}
			return impair(link.Attrs().Index, to)
		})
		if err != nil {
			return fmt.Errorf("impair what %s sends: %w", e.Name, err)
		}
	}
	return nil
}

// CheckImpair implements [lab.ImpairingHost]: it tries NETEM in a namespace that
// goes away at once.
func (*Host) CheckImpair(ctx context.Context) error {
	ns, err := New()
	if err != nil {
		return err
	}
	defer ns.Close()
	return ns.Do(ctx, func() error { return impair(loopbackIndex, lab.Impairment{}) })
}

// loopbackIndex is that of the first link of a namespace.
const loopbackIndex = 1

// impair gives a link of the thread's namespace its discipline. The kernel
// keeps the rate and the corruption of one that is there unless it is told
// others, and the library tells it none that is 0: so the request is made here.
func impair(link int, to lab.Impairment) error {
	request := nl.NewNetlinkRequest(unix.RTM_NEWQDISC, unix.NLM_F_CREATE|unix.NLM_F_REPLACE|unix.NLM_F_ACK)
	request.AddData(&nl.TcMsg{Family: unix.AF_UNSPEC, Ifindex: int32(link), Parent: netlink.HANDLE_ROOT})
	request.AddData(nl.NewRtAttr(nl.TCA_KIND, nl.ZeroTerminated("netem")))
	request.AddData(netemOptions(to))
	_, err := request.Execute(unix.NETLINK_ROUTE, 0)
	if errors.Is(err, unix.ENOENT) {
		return &lab.UnsupportedError{
			What: "impairing a path", Reason: "this kernel has no NETEM (sch_netem)",
			Remedy: "load it with `modprobe sch_netem`, or run on another kernel with --in-vm",
		}
	}
	if err != nil {
		return privileged("set NETEM", err)
	}
	return nil
}

// netemOptions are struct tc_netem_qopt of linux/pkt_sched.h and the attributes
// behind it, all of them.
func netemOptions(to lab.Impairment) *nl.RtAttr {
	head := nl.TcNetemQopt{
		Latency: ticks(to.Delay), Jitter: ticks(to.Jitter), Limit: uint32(to.Packets()),
		Loss: probability(to.LossPercent), Duplicate: probability(to.DuplicatePercent),
	}
	reorder := nl.TcNetemReorder{Probability: probability(to.ReorderPercent)}
	if to.ReorderPercent > 0 {
		head.Gap = 1 // each packet may be one that is not held
	}
	corrupt := nl.TcNetemCorrupt{Probability: probability(to.CorruptPercent)}
	rate := nl.TcNetemRate{Rate: uint32(to.Rate / 8)} // bytes per second; 0: no limit
	options := nl.NewRtAttr(nl.TCA_OPTIONS, head.Serialize())
	options.AddRtAttr(nl.TCA_NETEM_REORDER, reorder.Serialize())
	options.AddRtAttr(nl.TCA_NETEM_CORRUPT, corrupt.Serialize())
	options.AddRtAttr(nl.TCA_NETEM_RATE, rate.Serialize())
	return options
}

// tick is the unit in which queueing disciplines are told times (PSCHED_SHIFT of
// net/pkt_sched.h).
const tick = 64 * time.Nanosecond

// ticks is a time that fits into 32 bits: less than 274 s.
func ticks(d time.Duration) uint32 { return uint32(d / tick) }

// probability is a percentage as a part of the largest 32-bit number.
func probability(percent float64) uint32 { return uint32(math.Round(percent / 100 * math.MaxUint32)) }
