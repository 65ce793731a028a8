package strategies

import (
	"errors"
	"slices"
	"strconv"
	"testing"

	"github.com/portlab/portlab/lab"
)

// nftVariants are nft with each of its methods.
func nftVariants() []lab.Strategy {
	return slices.DeleteFunc(Variants(), func(s lab.Strategy) bool { return s.Name() != "nft" })
}

// Of any n connections in a row each of n replicas gets one, by weight.
func TestNFTTakesTurns(t *testing.T) {
	p := onEngine("aaaaaa")
	for _, weights := range [][]float64{{1}, {1, 1}, {1, 1, 1}, {2, 1}, {0.5, 1.5}} {
		to, sum := p.replicas(0, len(weights)), 0.0
		least := slices.Min(weights)
		for i, w := range weights {
			to[i].Weight = w
			sum += w / least
		}
		h := p.exposed(t, nft{lab.MethodTurn}, to)
		for range 3 {
			for i, k := range counts(t, h, to, int(sum)) {
				if float64(k) != weights[i]/least {
					t.Errorf("weights %v: replica %d got %d of %v connections in a row", weights, i, k, sum)
				}
			}
		}
	}
}

// A hash sends a client's connections from one port to one replica, and those
// from many ports to all.
func TestNFTHashIsOfTheClient(t *testing.T) {
	p := onEngine("aaaaaa")
	for _, method := range []string{methodJhash, methodSymhash} {
		to := p.replicas(0, 3)
		h := p.exposed(t, nft{method}, to)
		c := counts(t, h, to, 50) // from one port
		if slices.Max(c) != 50 {
			t.Errorf("%s: %v, want all at one replica", method, c)
		}
		c = make([]int, 3)
		for port := range 3000 {
			packet := outside("198.19.0.1:8080")
			packet.Source = addr("198.19.0.2:" + strconv.Itoa(1024+port))
			c[slices.IndexFunc(to, func(r lab.Replica) bool { return r.Address == h.Trace(packet).Destination })]++
		}
		near(t, c, lab.Shares(to))
	}
}

// Weights must come to a map of a size that the kernel can be asked for.
func TestNFTRefusesWeightsOfManyParts(t *testing.T) {
	p := onEngine("aaaaaa")
	to := p.replicas(0, 2)
	to[0].Weight, to[1].Weight = 1, 0.00001
	_, err := nft{lab.MethodRandom}.Steps(p.facts, p.front, to)
	if usage := new(lab.UsageError); !errors.As(err, &usage) {
		t.Errorf("%v, want a usage error", err)
	}
}

func TestWholeWeights(t *testing.T) {
	for _, c := range []struct {
		weights []float64
		want    []int
	}{
		{[]float64{1, 1, 1}, []int{1, 1, 1}}, {[]float64{3, 1}, []int{3, 1}}, {[]float64{0.7, 0.3}, []int{7, 3}},
		{[]float64{6, 4, 2}, []int{3, 2, 1}}, {[]float64{0.1, 2}, []int{1, 20}}, {[]float64{1e-3, 1e-3}, []int{1, 1}},
	} {
		to := make([]lab.Replica, len(c.weights))
		for i, w := range c.weights {
			to[i].Weight = w
		}
		if got, ok := wholeWeights(to); !ok || !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v", c.weights, got, c.want)
		}
	}
}
