package strategies

import (
	"net/netip"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
	"github.com/portlab/portlab/lab/labtest"
)

// The article's two rules are fair: the second is walked first and takes half.
func TestDNATArticleIsFairForTwo(t *testing.T) {
	p := bare("aaaaaa")
	to := p.replicas(0, 2)
	near(t, counts(t, p.exposed(t, dnatArticle{}, to), to, 30_000), lab.Shares(to))
}

// With ten, and 10% for each rule but the one that is walked last, that one
// gets what nine others left over: 0.9^9.
func TestDNATArticleFavoursTheFirstOfTen(t *testing.T) {
	p := bare("aaaaaa")
	to := p.replicas(0, 10)
	got := counts(t, p.exposed(t, dnatArticle{}, to), to, 100_000)
	shares, left := make([]float64, 10), 1.0
	for i := 9; i > 0; i-- {
		shares[i] = left * 0.1
		left -= shares[i]
	}
	shares[0] = left
	near(t, got, shares)
}

// Its rules name no address: what the host and its containers send to that port
// of anybody else comes to the replicas. Those of dnat leave it alone.
func TestDNATArticleCatchesWhatIsForOthers(t *testing.T) {
	p := bare("aaaaaa")
	for _, s := range []lab.Strategy{dnat{}, dnatArticle{}} {
		_, trap := s.(lab.Warner)
		h := p.exposed(t, s, p.replicas(0, 2))
		for name, packet := range map[string]labtest.Packet{
			"the host":  {Source: addr("198.19.0.1:1"), Destination: addr("203.0.113.1:8080")},
			"a replica": {In: p.facts.Bridge, Source: addr("198.18.0.2:1"), Destination: addr("203.0.113.1:8080")},
		} {
			if caught := h.Trace(packet).Destination != packet.Destination; caught != trap {
				t.Errorf("%s: what %s sends elsewhere is caught: %v", s.Name(), name, caught)
			}
		}
	}
}

// The same with real packets: a server of another machine at the front's port
// cannot be reached from the host.
func TestDNATArticleCatchesWhatIsForOthersOnTheKernel(t *testing.T) {
	for _, s := range []lab.Strategy{dnat{}, dnatArticle{}} {
		t.Run(s.Name(), func(t *testing.T) {
			w := newWorld(t, bare("aaaaaa"), 2)
			other := netip.AddrPortFrom(w.facts.Client, w.front.Port)
			w.serve(t, w.client, lab.Replica{Instance: "other", Address: other})
			x, err := lab.Expose(t.Context(), kernel.NewHost(w.host, nil), &labtest.Journal{}, w.steps(t, s, w.replicas))
			if err != nil {
				t.Fatal(err)
			}
			name, _, err := w.dial(t.Context(), w.host, other)
			if err != nil {
				t.Fatal(err)
			}
			if _, trap := s.(lab.Warner); trap != (name != "other") {
				t.Errorf("%q answers in place of the other machine", name)
			}
			for _, v := range []lab.Vantage{lab.External, lab.OnHost} {
				_, saw := w.packet(v)
				near(t, w.tally(t, w.stands(v), w.front.At(v), 150, saw), lab.Shares(w.replicas))
			}
			if err := x.Revert(t.Context()); err != nil {
				t.Error(err)
			}
			if name, _, err := w.dial(t.Context(), w.host, other); name != "other" || err != nil {
				t.Errorf("%q answers after the rules have gone, %v", name, err)
			}
		})
	}
}
