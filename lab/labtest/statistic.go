package labtest

import (
	"fmt"
	"math"
	"strconv"
)

// mode reads what follows "--mode" of the statistic match.
func (p *parser) mode(v string) error {
	switch v {
	case "random":
		return p.randomMode()
	case "nth":
		return p.nthMode()
	}
	return fmt.Errorf("unknown mode %q", v)
}

// randomMode decides as net/netfilter/xt_statistic.c does: 31 random bits
// against the probability, rounded to as many.
func (p *parser) randomMode() error {
	v, err := p.valueOf("--probability")
	if err != nil {
		return err
	}
	f, err := strconv.ParseFloat(v, 64)
	if err != nil || !(f >= 0 && f <= 1) {
		return fmt.Errorf("no probability: %q", v)
	}
	bound := uint32(math.RoundToEven(f * (1 << 31)))
	return p.add(func(w *walker) bool { return w.host.random.Uint32()>>1 < bound })
}

// nthMode counts as the kernel does: every n-th packet that gets here, the
// first one after so many others.
func (p *parser) nthMode() error {
	every, err := p.count("--every", 1)
	if err != nil {
		return err
	}
	packet, err := p.count("--packet", 0)
	if err != nil {
		return err
	}
	if packet >= every {
		return fmt.Errorf("--packet %d must be less than --every %d", packet, every)
	}
	seen := (every - packet) % every
	return p.add(func(*walker) bool {
		now := seen
		seen = (seen + 1) % every
		return now == 0
	})
}

func (p *parser) count(option string, least uint64) (uint64, error) {
	v, err := p.valueOf(option)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(v, 10, 32)
	if err != nil || n < least {
		return 0, fmt.Errorf("%s must be a number from %d on, not %q", option, least, v)
	}
	return n, nil
}

func (p *parser) valueOf(option string) (string, error) {
	name, err := p.next(option)
	if err != nil {
		return "", err
	}
	if name != option {
		return "", fmt.Errorf("%s was expected, not %q", option, name)
	}
	return p.next("the value of " + option)
}
