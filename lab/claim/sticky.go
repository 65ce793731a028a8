package claim

import (
	"fmt"
	"math"
	"net/netip"

	"github.com/portlab/portlab/lab"
)

// StickyByClient claims that every client address always gets the same
// instance. Two instances for one address refute it. It is held where several
// addresses kept theirs, more than one instance answered, and random choice
// would keep them as well in fewer than [Alpha] of runs: else one instance that
// gets everything, or too few connections, would pass for it.
type StickyByClient struct{}

// Name implements [lab.Claim].
func (StickyByClient) Name() string { return "sticky by client" }

// Judge implements [lab.Claim]. The effect is the share of connections that got
// another instance than the first of their address; the p-value the probability
// that random choice with the shares seen strays so little.
func (c StickyByClient) Judge(e lab.Evidence) lab.Verdict {
	h := homesOf(e.Samples)
	v := newVerdict(c, h.n)
	if h.n == 0 {
		v.Sentence = "cannot tell: no answer says who gave it and to which address"
		return v
	}
	v.Test, v.EffectName = "agreement within each client address", "share of connections that strayed"
	v.Effect = number(float64(h.strayed) / float64(h.n))
	if h.strayed > 0 {
		v.Outcome = lab.Refuted
		v.Sentence = fmt.Sprintf("not sticky: %s of %s got another instance than the first of their address: %s",
			thousands(h.strayed), count(h.n, "connection"), h.stray)
		return v
	}
	p := h.agreement()
	switch {
	case len(h.all) == 1:
		v.Sentence = fmt.Sprintf("cannot tell: one client address alone cannot be told from one instance that gets everything (%s answered all of %s); give several with --clients",
			h.all[0].instance, count(h.n, "connection"))
	case len(h.counts) == 1:
		v.Sentence = fmt.Sprintf("cannot tell: %s answered all of %s from %s, so that nothing shows whether the address decides",
			h.all[0].instance, count(h.n, "connection"), clientWords(len(h.all)))
	case p >= Alpha:
		v.PValue, v.Alpha = number(p), Alpha
		v.NeedN = h.need()
		v.Sentence = fmt.Sprintf("cannot tell: all of %s kept their instance, which may be chance (%s)%s",
			clientWords(len(h.all)), pWords(p), wouldTell(v.NeedN))
	default:
		v.PValue, v.Alpha, v.Outcome = number(p), Alpha, lab.Held
		v.Sentence = fmt.Sprintf("sticky by client: each of %s always got the same one of %s, in all of %s (by chance %s)",
			clientWords(len(h.all)), count(len(h.counts), "instance"), count(h.n, "connection"), pWords(p))
	}
	return v
}

// wouldTell is the end of a sentence; empty where the number is not known.
func wouldTell(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("; %s connections would tell", about(n))
}

// clientWords counts client addresses.
func clientWords(n int) string {
	if n == 1 {
		return "1 client address"
	}
	return thousands(n) + " client addresses"
}

// home is what is known of one client address.
type home struct {
	instance string // the first that it got
	n        int    // connections
}

// homes are client addresses with the instances that they got. Sums go through
// them in the order in which they came, so that they come out the same each time.
type homes struct {
	of      map[netip.Addr]*home
	all     []*home
	index   map[string]int // of each instance in counts
	counts  []int          // connections of each instance
	n       int            // connections
	strayed int            // that got another instance than the first of their address
	stray   string         // what one that strayed got
}

func homesOf(samples lab.Samples) homes {
	h := homes{of: map[netip.Addr]*home{}, index: map[string]int{}}
	for s := range connections(samples) {
		if s.Local.IsValid() {
			h.add(s.Local.Addr().Unmap(), s.Instance)
		}
	}
	return h
}

func (h *homes) add(client netip.Addr, instance string) {
	h.n++
	i, ok := h.index[instance]
	if !ok {
		i = len(h.counts)
		h.index[instance] = i
		h.counts = append(h.counts, 0)
	}
	h.counts[i]++
	at := h.of[client]
	if at == nil {
		at = &home{instance: instance}
		h.of[client] = at
		h.all = append(h.all, at)
	}
	at.n++
	if at.instance == instance {
		return
	}
	if h.strayed++; h.strayed == 1 {
		h.stray = fmt.Sprintf("%s got %s and %s", client, at.instance, instance)
	}
}

// agreement is the probability that random choice with the shares seen gives
// each address one instance throughout.
func (h *homes) agreement() float64 {
	var log float64
	for _, at := range h.all {
		log += h.logAgreement(float64(at.n))
	}
	return math.Exp(log)
}

// logAgreement is the logarithm of the probability that n connections get the
// same instance: of the sum of share^n.
func (h *homes) logAgreement(n float64) float64 {
	var p float64
	for _, c := range h.counts {
		p += math.Pow(float64(c)/float64(h.n), n)
	}
	return math.Log(p)
}

// need is how many connections in all, spread evenly over the same addresses,
// make agreement by chance rarer than [Alpha]; 0 where none would.
func (h *homes) need() int {
	clients := float64(len(h.all))
	for each := 2.0; each*clients <= lab.MaxRequests; each = math.Ceil(each * 1.1) {
		if math.Exp(clients*h.logAgreement(each)) < Alpha {
			return int(each * clients)
		}
	}
	return 0
}
