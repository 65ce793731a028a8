package lab

import "net/netip"

// Nftables is the part of nftables (nft(8)) that steps use: tables of the
// run's own.
type Nftables interface {
	// Set gives a table these rules and elements and no others, in one
	// transaction, and makes it if there is none: each packet meets all old
	// rules or all new ones. A table that is there keeps its chains and maps,
	// which must be those of t.
	Set(t NftTable) error
	// Delete deletes a table with all that is in it; no error if there is none.
	Delete(ip Family, name string) error
}

// NftTable is a table with its maps and chains.
type NftTable struct {
	Family Family
	Name   string // [RunID.Table]
	Maps   []NftMap
	Chains []NftChain
}

// NftMap leads numbers, from 0 on, to addresses and ports.
type NftMap struct {
	Name   string
	Values []netip.AddrPort
}

// NftChain is a list of rules. One with a hook is walked by packets that pass
// there, another by those that a rule sends to it.
type NftChain struct {
	Name     string
	Type     string // nat or filter; empty without a hook
	Hook     string // prerouting, input, output or postrouting; empty: none
	Priority int    // the lower, the earlier at the hook
	Rules    []NftRule
}

// NftRule says what becomes of a packet that all of its matches mean.
type NftRule struct {
	Matches []NftMatch
	Action  NftAction
	Chain   string  // of NftJump: where to go on
	Pick    NftPick // of NftDNAT: where to
}

// NftAction is what a rule does with a packet.
type NftAction string

// The actions.
const (
	NftDrop       NftAction = "drop"
	NftJump       NftAction = "jump"
	NftMasquerade NftAction = "masquerade"
	NftDNAT       NftAction = "dnat" // to the address and port that a number leads to
)

// NftPick picks the element of a map by a number below the count of them.
type NftPick struct {
	By  NftNumber
	Map string
}

// NftNumber is how a number is made for a packet.
type NftNumber string

// The numbers (nft(8), numgen and hash expressions).
const (
	NftRandom NftNumber = "numgen random"
	NftTurn   NftNumber = "numgen inc" // one counter for each rule, shared by all CPUs
	NftJhash  NftNumber = "jhash"      // Jenkins' hash of the source address and port, with [NftSeed]
	NftFlow   NftNumber = "symhash"    // the kernel's hash of the flow, the same in both directions
)

// NftSeed is the seed of [NftJhash]. It is fixed, so that a client keeps its
// replica when a table is set again.
const NftSeed = 0x706f7274

// NftMatch is one condition on a packet.
type NftMatch struct {
	Of   NftField
	Net  netip.Prefix // of an address
	Port uint16       // of a port
	Word string       // the link of NftIn and NftOut; tcp or udp of NftTransport and NftPort
}

// NftField is what a match looks at.
type NftField string

// The fields.
const (
	NftSource       NftField = "source"
	NftDestination  NftField = "destination"
	NftTransport    NftField = "transport"
	NftPort         NftField = "port"       // the destination's
	NftIn           NftField = "in"         // the link by which it came
	NftOut          NftField = "out"        // the link by which it leaves
	NftLocal        NftField = "local"      // the destination is an address of the host
	NftTranslated   NftField = "translated" // the destination of its connection was translated
	NftUntranslated NftField = "kept"       // it was not
	NftUnexpected   NftField = "unexpected" // it belongs to no connection that was seen before
	NftOriginal     NftField = "original"   // the destination that its connection began with
	NftOriginalPort NftField = "of origin"  // the port of that
)
