package lab_test

import (
	"context"
	"errors"
	"testing"

	"github.com/portlab/portlab/lab"
)

func TestKindsOfLinkAreReadAsTheyAreWritten(t *testing.T) {
	for _, k := range lab.LinkKinds() {
		if got, err := lab.ParseLinkKind(string(k)); got != k || err != nil {
			t.Errorf("%q is read as %q, %v", k, got, err)
		}
		if k.OnParent() != (len(k.Caveats()) > 0) {
			t.Errorf("%q is on a parent: %v, and a reader is told %q", k, k.OnParent(), k.Caveats())
		}
	}
	for _, word := range []string{"", "veth", "Bridge"} {
		_, err := lab.ParseLinkKind(word)
		if _, usage := errors.AsType[*lab.UsageError](err); !usage {
			t.Errorf("%q: %v, want a usage error", word, err)
		}
	}
}

// Replicas without a link of their own cannot have one of a kind, and what an
// ipvlan link is told from others by cannot be shared.
func TestLinksThatTheStrategyRulesOutAreUnsupported(t *testing.T) {
	for name, c := range map[string]struct {
		needs   lab.Needs
		macvlan bool // it can be used with
		ipvlan  bool
	}{
		"own":            {lab.Needs{Placement: lab.OwnNetns}, true, true},
		"inherited":      {lab.Needs{Placement: lab.OwnNetns, Inherit: lab.InheritOwn}, true, true},
		"shared address": {lab.Needs{Placement: lab.OwnNetns, SharedAddress: true}, true, false},
		"shared":         {lab.Needs{Placement: lab.SharedNetns}, false, false},
		"host":           {lab.Needs{Placement: lab.HostNetns}, false, false},
		"published":      {lab.Needs{Placement: lab.OwnNetns, Publish: lab.PublishFirst}, false, false},
		"tasks":          {lab.Needs{Placement: lab.OwnNetns, Publish: lab.PublishIngress}, false, false},
	} {
		for kind, can := range map[lab.LinkKind]bool{"": true, lab.LinkBridge: true, lab.LinkMacvlan: c.macvlan, lab.LinkIPvlan: c.ipvlan} {
			r := newRig()
			r.strategy.needs, r.Fleet.Link = c.needs, kind
			if err := r.Valid(); can != (err == nil) || !can && !errors.Is(err, lab.ErrUnsupported) {
				t.Errorf("%s with link %q: %v", name, kind, err)
			}
			if !can {
				_, _, _ = r.run(t)
				r.did(t) // nothing is touched
			}
		}
	}
}

// linkless is a host whose kernel has no links on a parent.
type linkless struct {
	lab.Host
	asked []lab.LinkKind
}

func (h *linkless) CheckLink(_ context.Context, k lab.LinkKind) error {
	h.asked = append(h.asked, k)
	return &lab.UnsupportedError{What: string(k), Reason: "not in this kernel"}
}

// onLinkless is a runtime on such a host.
type onLinkless struct {
	*runtime
	host *linkless
}

func (r onLinkless) Host(context.Context) (lab.Host, error) { return r.host, nil }

// A kernel is asked for the links that a trial wants, and only for those.
func TestKernelDecidesWhichLinksThereAre(t *testing.T) {
	for kind, asked := range map[lab.LinkKind]int{"": 0, lab.LinkBridge: 0, lab.LinkMacvlan: 1, lab.LinkIPvlan: 1} {
		r := newRig()
		host := &linkless{}
		r.strategy.needs.Placement, r.Fleet.Link = lab.OwnNetns, kind
		r.Runtime = onLinkless{r.runtime, host}
		err := r.Able(t.Context())
		if len(host.asked) != asked || errors.Is(err, lab.ErrUnsupported) != (asked > 0) {
			t.Errorf("link %q: asked for %q, %v", kind, host.asked, err)
		}
	}
}

// The link is in what the runtime is asked for, in the result and in what a
// reader is told.
func TestResultSaysWhichLink(t *testing.T) {
	for kind, shown := range map[lab.LinkKind]lab.LinkKind{lab.LinkBridge: "", lab.LinkMacvlan: lab.LinkMacvlan} {
		r := newRig()
		r.strategy.needs.Placement, r.Fleet.Link = lab.OwnNetns, kind
		res, _, err := r.run(t)
		if err != nil {
			t.Fatal(err)
		}
		if res.Link != shown || r.runtime.spec.Link != kind || len(res.Caveats) != len(about.Caveats)+len(kind.Caveats()) {
			t.Errorf("with %s: the result says %q and %q, the runtime was asked for %q", kind, res.Link, res.Caveats, r.runtime.spec.Link)
		}
	}
}
