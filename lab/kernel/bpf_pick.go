package kernel

import (
	"errors"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"github.com/portlab/portlab/lab"
)

// picker is the part of a program that chooses a replica.
type picker struct {
	method string
	table  *ebpf.Map // columns
	turns  *ebpf.Map // one count of those who came; nil unless in turn
	length int       // of the table
}

// newPicker gives a picker among replicas by their weights.
func newPicker(method string, replicas []lab.Replica) (_ *picker, err error) {
	k := &picker{method: method}
	defer func() {
		if err != nil {
			err = errors.Join(err, k.Close())
		}
	}()
	columns := aliasTable(lab.Shares(replicas))
	switch method {
	case lab.MethodRandom, lab.MethodHash:
	case lab.MethodTurn:
		columns = turnTable(lab.Shares(replicas))
		if k.turns, err = newMap(ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1}); err != nil {
			return nil, err
		}
	default:
		return nil, lab.Usagef("a BPF program cannot choose by %q", method)
	}
	k.length = len(columns)
	k.table, err = newMap(ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: columnSize, MaxEntries: uint32(len(columns))})
	if err != nil {
		return nil, err
	}
	for i, c := range columns {
		if err := k.table.Put(uint32(i), c); err != nil {
			return nil, bpfError("fill a map", err)
		}
	}
	return k, nil
}

// Close lets go of the maps; a program that uses them keeps them.
func (k *picker) Close() error { return closeMaps(k.table, k.turns) }

func closeMaps(maps ...*ebpf.Map) error {
	var errs []error
	for _, m := range maps {
		if m != nil {
			errs = append(errs, m.Close())
		}
	}
	return errors.Join(errs...)
}

// The registers of all programs. R6 to R9 survive the call of a helper.
const (
	called  = asm.R6 // what the program is called with
	drawn   = asm.R7 // a number to choose by
	chosen  = asm.R8 // the replica's index
	attempt = asm.R9 // how many choices were in vain so far
)

// onStack is where the stack holds the index that a map is asked for.
const onStack = -4

// pick leaves the index of a replica in chosen and on the stack, at onStack. Where a
// map is missing an entry, which cannot be, it goes to the label pass. For a
// hash, the number that is hashed is in drawn.
func (k *picker) pick() asm.Instructions {
	var code asm.Instructions
	switch k.method {
	case lab.MethodTurn:
		code = append(code,
			asm.LoadMapValue(asm.R1, k.turns.FD(), 0),
			asm.Mov.Imm(asm.R0, 1),
			countOne(),
			asm.Mov.Imm(drawn, 0),
		)
	case lab.MethodHash:
		code = append(code, mix(drawn)...)
		code = append(code, asm.Mov.Reg32(asm.R0, drawn), asm.RSh.Imm(drawn, 32))
	default:
		code = append(code,
			asm.FnGetPrandomU32.Call(), asm.Mov.Reg32(drawn, asm.R0),
			asm.FnGetPrandomU32.Call(), asm.Mov.Reg32(asm.R0, asm.R0),
		)
	}
	code = append(code, asm.Mod.Imm(asm.R0, int32(k.length)))
	code = append(code, entry(k.table, asm.R0)...)
	return append(code,
		asm.LoadMem(chosen, asm.R0, 4, asm.Word),
		asm.LoadMem(asm.R1, asm.R0, 0, asm.Word),
		asm.JLE.Reg(drawn, asm.R1, "chosen"),
		asm.LoadMem(chosen, asm.R0, 8, asm.Word),
		asm.StoreMem(asm.RFP, onStack, chosen, asm.Word).WithSymbol("chosen"),
	)
}

// countOne adds R0 to what R1 points to and leaves in R0 what was there. The
// assembler forgets the constant in which that differs from adding alone
// (BPF_FETCH of the kernel's instruction set), so it is set here.
func countOne() asm.Instruction {
	const fetch = 1
	i := asm.FetchAdd.Mem(asm.R1, asm.R0, asm.DWord, 0)
	i.Constant = fetch
	return i
}

// entry leaves in R0 the address of an array's entry, by an index.
func entry(m *ebpf.Map, index asm.Register) asm.Instructions {
	return asm.Instructions{
		asm.StoreMem(asm.RFP, onStack, index, asm.Word),
		asm.LoadMapPtr(asm.R1, m.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, onStack),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "pass"),
	}
}

// mix makes of a number one whose every bit depends on all of its bits
// (Steele, Lea and Flood 2014, Fast splittable pseudorandom number generators).
func mix(r asm.Register) asm.Instructions {
	const golden, first, second = 0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9, 0x94d049bb133111eb
	signed := func(n uint64) int64 { return int64(n) }
	code := asm.Instructions{asm.LoadImm(asm.R1, signed(golden), asm.DWord), asm.Add.Reg(r, asm.R1)}
	for _, round := range []struct {
		shift  int32
		factor uint64
	}{{30, first}, {27, second}} {
		code = append(code,
			asm.Mov.Reg(asm.R1, r), asm.RSh.Imm(asm.R1, round.shift), asm.Xor.Reg(r, asm.R1),
			asm.LoadImm(asm.R1, signed(round.factor), asm.DWord), asm.Mul.Reg(r, asm.R1),
		)
	}
	return append(code, asm.Mov.Reg(asm.R1, r), asm.RSh.Imm(asm.R1, 31), asm.Xor.Reg(r, asm.R1))
}
