package lab

import (
	"flag"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// Words are the arguments of `portlab bpf` that describe the program; see
// [ParseBPFProgram].
func (p BPFProgram) Words() []string {
	words := []string{
		"--hook", string(p.Hook), "--method", p.Method, "--run", string(p.Run), "--name", p.Name, "--transport", p.Transport,
	}
	for _, f := range p.Front {
		words = append(words, "--front", f.String())
	}
	for _, r := range p.Replicas {
		words = append(words, "--replica", r.Instance+"="+r.Address.String()+"*"+strconv.FormatFloat(r.Weight, 'g', -1, 64))
	}
	return words
}

// ParseBPFProgram reads what [BPFProgram.Words] makes. What cannot be read is a
// [UsageError]; whether a host can do it is the host's to say.
func ParseBPFProgram(words []string) (BPFProgram, error) {
	var p BPFProgram
	flags := flag.NewFlagSet("bpf", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // what is wrong is in the error
	flags.StringVar((*string)(&p.Hook), "hook", "", "")
	flags.StringVar(&p.Method, "method", MethodRandom, "")
	flags.StringVar((*string)(&p.Run), "run", "", "")
	flags.StringVar(&p.Name, "name", "front", "")
	flags.StringVar(&p.Transport, "transport", "tcp", "")
	flags.Func("front", "", func(s string) error {
		at, err := netip.ParseAddrPort(s)
		p.Front = append(p.Front, at)
		return err
	})
	flags.Func("replica", "", func(s string) error {
		r, err := parseReplica(s)
		p.Replicas = append(p.Replicas, r)
		return err
	})
	err := flags.Parse(words)
	switch {
	case err != nil:
		return BPFProgram{}, Usagef("%v", err)
	case flags.NArg() > 0:
		return BPFProgram{}, Usagef("%q is no flag", flags.Arg(0))
	case p.Hook == "" || len(p.Front) == 0 || len(p.Replicas) == 0:
		return BPFProgram{}, Usagef("--hook, --front and --replica must all be given")
	}
	return p, nil
}

// parseReplica reads INSTANCE=ADDRESS:PORT*WEIGHT; without a weight it is 1.
func parseReplica(s string) (Replica, error) {
	instance, rest, found := strings.Cut(s, "=")
	if !found || instance == "" {
		return Replica{}, Usagef("a replica is INSTANCE=ADDRESS:PORT, not %q", s)
	}
	address, weight, weighted := strings.Cut(rest, "*")
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return Replica{}, err
	}
	r := Replica{Instance: instance, Address: at, Weight: 1}
	if weighted {
		if r.Weight, err = strconv.ParseFloat(weight, 64); err != nil || !ValidWeight(r.Weight) {
			return Replica{}, Usagef("a weight is a positive number, not %q", weight)
		}
	}
	return r, nil
}
