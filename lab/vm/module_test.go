package vm

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab/labtest"
)

// fakeModule is an object file with nothing in it but what a module says of
// itself.
func fakeModule(t *testing.T, info ...string) []byte {
	t.Helper()
	names := "\x00.modinfo\x00.shstrtab\x00"
	data := strings.Join(append(info, "vermagic=6.1.0-test SMP mod_unload", ""), "\x00")
	const header = 64 // bytes
	h := elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_REL), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT),
		Shoff: uint64(header + len(data) + len(names)), Ehsize: header, Shentsize: header, Shnum: 3, Shstrndx: 2,
	}
	sections := []elf.Section64{
		{},
		{Name: 1, Type: uint32(elf.SHT_PROGBITS), Off: header, Size: uint64(len(data))},
		{Name: 10, Type: uint32(elf.SHT_STRTAB), Off: uint64(header + len(data)), Size: uint64(len(names))},
	}
	var b bytes.Buffer
	for _, part := range []any{h, []byte(data), []byte(names), sections} {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// fakeTree is a folder of modules, each named and with what it needs.
func fakeTree(t *testing.T, needs map[string]string, builtin string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "kernel/net"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, info := range needs {
		if err := os.WriteFile(filepath.Join(dir, "kernel/net", name+".ko"), fakeModule(t, strings.Split(info, ";")...), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "modules.builtin"), []byte(builtin), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func names(modules []kernelModule) []string {
	var all []string
	for _, m := range modules {
		all = append(all, m.name)
	}
	return all
}

// ipvs is a kernel's modules, one of them under a name with a dash.
func ipvs(t *testing.T) *moduleTree {
	t.Helper()
	tree, err := readModules(fakeTree(t, map[string]string{
		"ip_vs":          "depends=nf-conntrack,libcrc32c,udp_tunnel;alias=net-pf-16-proto-16-family-IPVS",
		"ip_vs_rr":       "depends=ip_vs",
		"ip_vs_wrr":      "depends=ip_vs",
		"nf-conntrack":   "depends=libcrc32c",
		"libcrc32c":      "depends=;softdep=pre: crc32c post: later",
		"crc32c_generic": "depends=;alias=crc32c",
		"later":          "depends=",
		"unrelated":      "depends=ip_vs_rr",
	}, "kernel/net/udp_tunnel.ko\nkernel/drivers/virtio/virtio-pci.ko\n"))
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// A module comes after all that it needs, soft dependencies included, each once.
func TestModulesAreInAnOrderInWhichTheyLoad(t *testing.T) {
	chosen, lacks, err := ipvs(t).choose(t.Context(), []string{"virtio_pci", "ip_vs", "absent"}, []string{"ip_vs_*", "gone_*"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"crc32c_generic", "libcrc32c", "nf_conntrack", "ip_vs", "ip_vs_rr", "ip_vs_wrr"}
	if got := names(chosen); !slices.Equal(got, want) {
		t.Errorf("chose %v, want %v", got, want)
	}
	if want := []string{"absent"}; !slices.Equal(lacks, want) {
		t.Errorf("the kernel lacks %v, want %v", lacks, want)
	}
	for _, m := range chosen {
		if want := !strings.HasPrefix(m.name, "ip_vs_"); m.boot != want {
			t.Errorf("%s is loaded at the start: %v, want %v", m.name, m.boot, want)
		}
		if m.release != "6.1.0-test" {
			t.Errorf("%s is for the kernel %q", m.name, m.release)
		}
	}
}

// What modprobe reads names all needs of a module: the first to be loaded last.
func TestModprobeFindsWhatAModuleNeeds(t *testing.T) {
	chosen, _, err := ipvs(t).choose(t.Context(), nil, []string{"ip_vs_rr"})
	if err != nil {
		t.Fatal(err)
	}
	const want = "kernel/net/ip_vs_rr.ko: kernel/net/ip_vs.ko kernel/net/nf-conntrack.ko kernel/net/libcrc32c.ko\n"
	if got := moduleNeeds(chosen); !strings.Contains(got, want) {
		t.Errorf("modules.dep is\n%swant in it\n%s", got, want)
	}
	const alias = "alias net-pf-16-proto-16-family-IPVS ip_vs\n"
	if got := moduleAliases(chosen); !strings.Contains(got, alias) {
		t.Errorf("modules.alias is\n%swant in it\n%s", got, alias)
	}
}

func TestModuleWhoseNeedIsNotThereIsAnError(t *testing.T) {
	tree, err := readModules(fakeTree(t, map[string]string{"veth": "depends=gone"}, ""))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := tree.choose(t.Context(), []string{"veth"}, nil); err == nil || !strings.Contains(err.Error(), "gone") {
		t.Errorf("chose a module that cannot be loaded: %v", err)
	}
}

func TestCompressedModulesAreRead(t *testing.T) {
	for suffix, program := range map[string]string{".xz": "xz", ".gz": "gzip"} {
		t.Run(program, func(t *testing.T) {
			_, err := exec.LookPath(program)
			labtest.Require(t, program, err == nil, "the program is not installed")
			dir := fakeTree(t, map[string]string{"veth": "depends="}, "")
			file := filepath.Join(dir, "kernel/net/veth.ko")
			plain, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if out, err := exec.CommandContext(t.Context(), program, file).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			tree, err := readModules(dir)
			if err != nil {
				t.Fatal(err)
			}
			chosen, _, err := tree.choose(t.Context(), []string{"veth"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(chosen) != 1 || !bytes.Equal(chosen[0].content, plain) || chosen[0].path != "kernel/net/veth.ko" {
				t.Errorf("from veth.ko%s came %v", suffix, names(chosen))
			}
		})
	}
}
