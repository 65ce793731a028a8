package kernel

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// elementsAtOnce is how many elements of a map go into one netlink message, of
// which an attribute holds at most 64 KiB.
const elementsAtOnce = 500

// tables implements [lab.Nftables] by netlink, for one namespace.
type tables struct{ ns *Namespace }

// openTables returns an [lab.UnsupportedError] where the kernel has no
// nf_tables, or this user may not use it.
func openTables(ns *Namespace) (tables, error) {
	if !HasNetAdmin() {
		return tables{}, &lab.UnsupportedError{What: "nftables", Reason: "nf_tables needs CAP_NET_ADMIN", Remedy: asRoot}
	}
	t := tables{ns}
	_, err := t.list()
	return t, err
}

func (t tables) Set(table lab.NftTable) error {
	return t.do("set the nftables table "+table.Name, func(c *nftables.Conn) error {
		return setTable(c, table)
	})
}

// setTable adds to a transaction: what is there already is made again to no
// effect, and then emptied.
func setTable(c *nftables.Conn, table lab.NftTable) error {
	b := builder{conn: c, words: table, table: c.AddTable(&nftables.Table{Name: table.Name, Family: nftFamily(table.Family)})}
	for _, m := range table.Maps {
		if err := b.addMap(m); err != nil {
			return err
		}
	}
	chains := make([]*nftables.Chain, len(table.Chains))
	for i, ch := range table.Chains {
		chains[i] = c.AddChain(b.chain(ch))
	}
	c.FlushTable(b.table) // of its rules
	for i, ch := range table.Chains {
		for _, r := range ch.Rules {
			c.AddRule(&nftables.Rule{Table: b.table, Chain: chains[i], Exprs: b.rule(r)})
		}
	}
	return nil
}

func (t tables) Delete(ip lab.Family, name string) error {
	err := t.do("delete the nftables table "+name, func(c *nftables.Conn) error {
		c.DelTable(&nftables.Table{Name: name, Family: nftFamily(ip)})
		return nil
	})
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

// list lists the tables of both IP versions.
func (t tables) list() (all []*nftables.Table, err error) {
	err = t.do("list the nftables tables", func(c *nftables.Conn) error {
		for _, ip := range []lab.Family{lab.IPv4, lab.IPv6} {
			some, err := c.ListTablesOfFamily(nftFamily(ip))
			if err != nil {
				return err
			}
			all = append(all, some...)
		}
		return nil
	})
	return all, err
}

// do runs f with a connection of the namespace and sends, as one transaction,
// what f added to it.
func (t tables) do(what string, f func(*nftables.Conn) error) error {
	return nftError(what, t.ns.Do(context.Background(), func() error {
		c, err := nftables.New()
		if err != nil {
			return err
		}
		if err := f(c); err != nil {
			return err
		}
		return c.Flush()
	}))
}

// nftAbsent are what nf_tables answers where it, or a part of it, is not there.
var nftAbsent = []error{unix.EINVAL, unix.EPROTONOSUPPORT, unix.EAFNOSUPPORT, unix.EOPNOTSUPP}

func nftError(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("%s: there is no such table, or the kernel lacks what a rule needs (nft_numgen, nft_hash, nft_nat, nft_masq, nft_ct, nft_fib): %w", what, err)
	case slices.ContainsFunc(nftAbsent, func(absent error) bool { return errors.Is(err, absent) }):
		return &lab.UnsupportedError{
			What: what, Reason: fmt.Sprintf("the kernel has no nf_tables, or a part of it is missing (%v)", err),
			Remedy: "load or install the kernel's modules: modprobe nf_tables nft_nat nft_masq nft_numgen nft_hash nft_ct nft_fib_ipv4 nft_fib_ipv6",
		}
	}
	return privileged(what, err)
}

func nftFamily(ip lab.Family) nftables.TableFamily {
	if ip == lab.IPv6 {
		return nftables.TableFamilyIPv6
	}
	return nftables.TableFamilyIPv4
}

// addMap adds a map and its elements. Keys are numbers as the CPU has them, as
// numgen and hash make them.
func (b builder) addMap(m lab.NftMap) error {
	address := nftables.TypeIPAddr
	if b.words.Family == lab.IPv6 {
		address = nftables.TypeIP6Addr
	}
	set := &nftables.Set{
		Table: b.table, Name: m.Name, IsMap: true, KeyType: nftables.TypeMark, KeyByteOrder: binaryutil.NativeEndian,
		DataType: nftables.MustConcatSetType(address, nftables.TypeInetService),
	}
	if err := b.conn.AddSet(set, nil); err != nil {
		return err
	}
	b.conn.FlushSet(set)
	var elements []nftables.SetElement
	for i, at := range m.Values {
		elements = append(elements, nftables.SetElement{Key: binary.NativeEndian.AppendUint32(nil, uint32(i)), Val: element(at)})
	}
	for some := range slices.Chunk(elements, elementsAtOnce) {
		if err := b.conn.SetAddElements(set, some); err != nil {
			return err
		}
	}
	return nil
}

// element is an address and a port as a map holds them: each in whole words of
// 32 bits.
func element(at netip.AddrPort) []byte {
	return append(binary.BigEndian.AppendUint16(at.Addr().AsSlice(), at.Port()), 0, 0)
}

// tableForm is what [lab.RunID.Table] makes.
var tableForm = regexp.MustCompile(`^portlab_([a-z2-7]{6})$`)

// tableTraces finds the tables of runs. Where there is no nf_tables there is
// none to find.
func tableTraces(ns *Namespace) ([]lab.Trace, error) {
	t, err := openTables(ns)
	if errors.Is(err, lab.ErrUnsupported) && HasNetAdmin() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	list, err := t.list()
	if err != nil {
		return nil, err
	}
	var all []lab.Trace
	for _, found := range list {
		m := tableForm.FindStringSubmatch(found.Name)
		if m == nil {
			continue
		}
		ip := lab.IPv4
		if found.Family == nftables.TableFamilyIPv6 {
			ip = lab.IPv6
		}
		all = append(all, lab.Trace{
			Run: lab.RunID(m[1]), Kind: lab.TableTrace, Name: fmt.Sprintf("nftables ip%d %s", ip, found.Name),
			Remove: func(context.Context) error { return t.Delete(ip, found.Name) },
		})
	}
	return all, nil
}
