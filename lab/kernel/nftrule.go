package kernel

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// builder turns the words of a table into expressions of nf_tables.
type builder struct {
	conn  *nftables.Conn
	words lab.NftTable
	table *nftables.Table
}

// Registers are of 16 bytes, by number from 1 on, or of 4, from 8 on
// (enum nft_registers in linux/netfilter/nf_tables.h). Number 9 is the second
// word of register 1, where the port lies behind an address of IPv4; number 13
// is the same of register 2.
const (
	work, hashed         = 1, 2
	portOf4, portOf6     = 9, 2
	keyPortOf4, keyPort6 = 13, 3
)

// nftHooks are the hooks by nft(8)'s names.
var nftHooks = map[string]*nftables.ChainHook{
	"prerouting": nftables.ChainHookPrerouting, "input": nftables.ChainHookInput,
	"output": nftables.ChainHookOutput, "postrouting": nftables.ChainHookPostrouting,
}

func (b builder) chain(c lab.NftChain) *nftables.Chain {
	chain := &nftables.Chain{Table: b.table, Name: c.Name}
	if c.Hook != "" {
		chain.Type, chain.Hooknum = nftables.ChainType(c.Type), nftHooks[c.Hook]
		chain.Priority = new(nftables.ChainPriority(c.Priority))
	}
	return chain
}

func (b builder) rule(r lab.NftRule) []expr.Any {
	var all []expr.Any
	for _, m := range r.Matches {
		all = append(all, b.match(m)...)
	}
	switch r.Action {
	case lab.NftDrop:
		return append(all, &expr.Verdict{Kind: expr.VerdictDrop})
	case lab.NftJump:
		return append(all, &expr.Verdict{Kind: expr.VerdictJump, Chain: r.Chain})
	case lab.NftMasquerade:
		return append(all, &expr.Masq{})
	}
	return append(all, b.dnat(r.Pick)...)
}

// match loads what is looked at into a register and compares it.
func (b builder) match(m lab.NftMatch) []expr.Any {
	switch m.Of {
	case lab.NftSource:
		return inNet(b.address(false), m.Net)
	case lab.NftDestination:
		return inNet(b.address(true), m.Net)
	case lab.NftOriginal:
		return inNet(&expr.Ct{Register: work, Key: expr.CtKeyDST}, m.Net)
	case lab.NftTransport:
		return transport(m.Word)
	case lab.NftPort:
		load := &expr.Payload{DestRegister: work, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2}
		return append(transport(m.Word), load, equals(portBytes(m.Port)))
	case lab.NftOriginalPort:
		return []expr.Any{&expr.Ct{Register: work, Key: expr.CtKeyPROTODST}, equals(portBytes(m.Port))}
	case lab.NftIn:
		return []expr.Any{&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: work}, equals(linkBytes(m.Word))}
	case lab.NftOut:
		return []expr.Any{&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: work}, equals(linkBytes(m.Word))}
	case lab.NftLocal:
		return []expr.Any{&expr.Fib{Register: work, ResultADDRTYPE: true, FlagDADDR: true}, equals(native(unix.RTN_LOCAL))}
	case lab.NftTranslated:
		return bits(expr.CtKeySTATUS, ipsDNAT, expr.CmpOpNeq)
	case lab.NftUntranslated:
		return bits(expr.CtKeySTATUS, ipsDNAT, expr.CmpOpEq)
	default: // lab.NftUnexpected
		return bits(expr.CtKeySTATE, expr.CtStateBitESTABLISHED|expr.CtStateBitRELATED, expr.CmpOpEq)
	}
}

// ipsDNAT is IPS_DST_NAT of linux/netfilter/nf_conntrack_common.h.
const ipsDNAT = 1 << 5

// dnat makes a number, looks it up and sends the packet there.
func (b builder) dnat(p lab.NftPick) []expr.Any {
	port := uint32(portOf4)
	if b.words.Family == lab.IPv6 {
		port = portOf6
	}
	return append(b.number(p),
		&expr.Lookup{SourceRegister: work, DestRegister: work, IsDestRegSet: true, SetName: p.Map},
		&expr.NAT{
			Type: expr.NATTypeDestNAT, Family: uint32(nftFamily(b.words.Family)), Specified: true,
			RegAddrMin: work, RegAddrMax: work, RegProtoMin: port, RegProtoMax: port,
		})
}

// number makes one below the count of the map's elements.
func (b builder) number(p lab.NftPick) []expr.Any {
	at := slices.IndexFunc(b.words.Maps, func(m lab.NftMap) bool { return m.Name == p.Map })
	modulus := uint32(len(b.words.Maps[at].Values))
	switch p.By {
	case lab.NftRandom:
		return []expr.Any{&expr.Numgen{Register: work, Modulus: modulus, Type: unix.NFT_NG_RANDOM}}
	case lab.NftTurn:
		return []expr.Any{&expr.Numgen{Register: work, Modulus: modulus, Type: unix.NFT_NG_INCREMENTAL}}
	case lab.NftFlow:
		return []expr.Any{&expr.Hash{DestRegister: work, Modulus: modulus, Type: expr.HashTypeSym}}
	}
	source := b.address(false)
	source.DestRegister = hashed
	port := &expr.Payload{DestRegister: keyPortOf4, Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: 2}
	if b.words.Family == lab.IPv6 {
		port.DestRegister = keyPort6
	}
	const portWord = 4 // a port takes a whole word of the key
	return []expr.Any{source, port, &expr.Hash{
		SourceRegister: hashed, DestRegister: work, Length: source.Len + portWord,
		Modulus: modulus, Seed: lab.NftSeed, Type: expr.HashTypeJenkins,
	}}
}

// address loads the source's or the destination's (RFC 791, RFC 8200).
func (b builder) address(destination bool) *expr.Payload {
	p := &expr.Payload{DestRegister: work, Base: expr.PayloadBaseNetworkHeader, Offset: 12, Len: 4}
	if b.words.Family == lab.IPv6 {
		p.Offset, p.Len = 8, 16
	}
	if destination {
		p.Offset += p.Len
	}
	return p
}

func inNet(load expr.Any, n netip.Prefix) []expr.Any {
	a := n.Masked().Addr().AsSlice()
	if n.IsSingleIP() {
		return []expr.Any{load, equals(a)}
	}
	return []expr.Any{load, &expr.Bitwise{
		SourceRegister: work, DestRegister: work, Len: uint32(len(a)),
		Mask: net.CIDRMask(n.Bits(), 8*len(a)), Xor: make([]byte, len(a)),
	}, equals(a)}
}

func transport(name string) []expr.Any {
	number := byte(unix.IPPROTO_TCP)
	if name == "udp" {
		number = unix.IPPROTO_UDP
	}
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: work}, equals([]byte{number})}
}

// bits compares some bits of what conntrack knows with none.
func bits(of expr.CtKey, mask uint32, op expr.CmpOp) []expr.Any {
	return []expr.Any{
		&expr.Ct{Register: work, Key: of},
		&expr.Bitwise{SourceRegister: work, DestRegister: work, Len: 4, Mask: native(mask), Xor: native(0)},
		&expr.Cmp{Op: op, Register: work, Data: native(0)},
	}
}

func equals(data []byte) expr.Any { return &expr.Cmp{Op: expr.CmpOpEq, Register: work, Data: data} }

func native(n uint32) []byte { return binary.NativeEndian.AppendUint32(nil, n) }

func portBytes(port uint16) []byte { return binary.BigEndian.AppendUint16(nil, port) }

// linkBytes is a link's name with zeros up to IFNAMSIZ (netdevice(7)).
func linkBytes(name string) []byte {
	return append([]byte(name), make([]byte, unix.IFNAMSIZ-len(name))...)
}
