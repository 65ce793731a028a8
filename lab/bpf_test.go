package lab_test

import (
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab"
)

func TestBPFProgramSurvivesItsWords(t *testing.T) {
	p := lab.BPFProgram{
		Name: "portlab-aaaaaa-front", Run: "aaaaaa", Hook: lab.BPFLookup, Method: lab.MethodHash, Transport: "udp",
		Front: []netip.AddrPort{netip.MustParseAddrPort("[2001:2:0:19::1]:8080"), netip.MustParseAddrPort("127.0.0.1:8080")},
		Replicas: []lab.Replica{
			{Instance: "foo", Address: netip.MustParseAddrPort("198.18.0.2:80"), Weight: 1},
			{Instance: "r14", Address: netip.MustParseAddrPort("[2001:2:0:18::2]:80"), Weight: 2.5},
		},
	}
	got, err := lab.ParseBPFProgram(p.Words())
	if err != nil || !reflect.DeepEqual(got, p) {
		t.Errorf("%+v becomes %+v, %v", p, got, err)
	}
}

func TestBPFProgramHasDefaults(t *testing.T) {
	p, err := lab.ParseBPFProgram(strings.Fields("--hook connect --front 127.0.0.1:80 --replica foo=127.0.0.2:80"))
	if err != nil || p.Method != lab.MethodRandom || p.Transport != "tcp" || p.Name == "" || p.Replicas[0].Weight != 1 {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestBPFProgramThatCannotBeRead(t *testing.T) {
	for _, words := range []string{
		"", "--hook sk-lookup", "--hook sk-lookup --front 127.0.0.1:80", "--hook sk-lookup --replica foo=127.0.0.1:80",
		"--hook sk-lookup --front 127.0.0.1 --replica foo=127.0.0.1:80",
		"--hook sk-lookup --front 127.0.0.1:80 --replica 127.0.0.1:80",
		"--hook sk-lookup --front 127.0.0.1:80 --replica =127.0.0.1:80",
		"--hook sk-lookup --front 127.0.0.1:80 --replica foo=127.0.0.1",
		"--hook sk-lookup --front 127.0.0.1:80 --replica foo=127.0.0.1:80*0",
		"--hook sk-lookup --front 127.0.0.1:80 --replica foo=127.0.0.1:80*many",
		"--hook sk-lookup --front 127.0.0.1:80 --replica foo=127.0.0.1:80 more",
		"--colour red",
	} {
		_, err := lab.ParseBPFProgram(strings.Fields(words))
		if usage := new(lab.UsageError); !errors.As(err, &usage) {
			t.Errorf("%q: %v, want a usage error", words, err)
		}
	}
}
