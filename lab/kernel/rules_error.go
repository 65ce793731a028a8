package kernel

import (
	"errors"
	"fmt"
	"strings"

	"github.com/portlab/portlab/lab"
)

// errGone: the chain, the rule or its target is not there.
var errGone = errors.New("no such chain or rule")

// filterSays are the messages of iptables 1.4 to 1.8, legacy and nf_tables, in
// the order in which they are looked for. An empty remedy means gone.
var filterSays = []struct{ text, reason, remedy string }{
	{"you must be root", "iptables needs CAP_NET_ADMIN", asRoot},
	{"Permission denied", "iptables needs CAP_NET_ADMIN", asRoot},
	{"missing kernel module", "the kernel lacks a module that the rule needs", "load or install the kernel's netfilter modules (xt_*)"},
	{"Couldn't load match", "this iptables lacks the match's extension", "reinstall the package iptables"},
	{"Table does not exist", "the kernel lacks the table", "modprobe iptable_nat iptable_filter, or use iptables-nft"},
	{"Failed to initialize nft", "the kernel lacks nf_tables", "use iptables-legacy: update-alternatives --config iptables"},
	{"is incompatible, use 'nft' tool", "", ""},
	{"does a matching rule exist", "", ""},
	{"No chain/target/match by that name", "", ""},
	{"Couldn't load target", "", ""},
	{"does not exist", "", ""},
}

// filterError gives what iptables said the type that fits: an
// [lab.UnsupportedError], or an error that is errGone.
func filterError(what string, err error) error {
	var typed *lab.UnsupportedError
	if err == nil || errors.As(err, &typed) {
		return err
	}
	text := err.Error()
	for _, says := range filterSays {
		switch {
		case !strings.Contains(text, says.text):
		case says.remedy == "":
			return fmt.Errorf("%s: %w: %w", what, errGone, err)
		default:
			return &lab.UnsupportedError{
				What: what, Reason: says.reason + ": " + strings.TrimSpace(text), Remedy: says.remedy,
			}
		}
	}
	return fmt.Errorf("%s: %w", what, err)
}
