package vm

import (
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portlab/portlab/lab"
)

// values are what stands behind a flag, each time that it is given.
func values(args []string, flag string) []string {
	var all []string
	for i, a := range args[:len(args)-1] {
		if a == flag {
			all = append(all, args[i+1])
		}
	}
	return all
}

func TestMachineHasOnlyTheDevicesThatItNeeds(t *testing.T) {
	e := emulators["amd64"]
	c := Config{CPUs: 2, MemoryMiB: 512, Image: Image{Kernel: "/images/vmlinuz"}}
	args := c.arguments(e, accelTCG, nil)
	if !slices.Contains(args, "-nodefaults") || len(values(args, "-netdev"))+len(values(args, "-drive"))+len(values(args, "-nic")) > 0 {
		t.Errorf("with no link and no disk: %q", args)
	}
	c.Image.Disk = "/images/a,b/disk.raw"
	cards := []card{{Hardware: "02:00:00:00:00:01"}, {Hardware: "02:00:00:00:00:02"}}
	args = c.arguments(e, accelTCG, cards)
	if d := cmp.Diff([]string{"socket,id=net0,fd=5", "socket,id=net1,fd=6"}, values(args, "-netdev")); d != "" {
		t.Error(d)
	}
	disk := values(args, "-drive")
	if len(disk) != 1 || !strings.Contains(disk[0], "snapshot=on") || !strings.HasSuffix(disk[0], "file=/images/a,,b/disk.raw") {
		t.Errorf("the disk is %q", disk)
	}
	for _, d := range values(args, "-device") {
		if strings.HasPrefix(d, "virtio-net") && !strings.HasSuffix(d, ",romfile=") {
			t.Errorf("%s: it boots from the network", d)
		}
	}
}

// Only where nothing but time is at stake is the kernel told to trust what it
// would not: under emulation.
func TestKernelLineFitsTheProcessor(t *testing.T) {
	for accel, emulated := range map[string]bool{accelTCG: true, accelKVM: false} {
		line := kernelLine(emulators["arm64"], accel)
		if strings.Contains(line, "mitigations=off") != emulated || !strings.Contains(line, "console=ttyAMA0") || !strings.Contains(line, "apparmor=0") {
			t.Errorf("%s: %s", accel, line)
		}
	}
}

// The first file system is the image's with an archive behind it, where the
// kernel looks for one, and has no name.
func TestInitrdIsTheImagesAndOurs(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	c := Config{
		Image: Image{Name: "tiny-test", Initrd: put("initrd", "odd")}, Binary: put("portlab", "the program"),
		Files: map[string]string{"/b/file": put("file", "a file"), "/a/folder": filepath.Dir(put("folder/in/it", "below"))},
		Links: []Link{{Address: netip.MustParsePrefix("198.18.0.1/24")}},
	}
	o := c.orders(true)
	f, err := c.initrd(o)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := os.Stat(f.Name()); err == nil {
		t.Errorf("it has the name %s", f.Name())
	}
	all, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	ours, ok := strings.CutPrefix(string(all), "odd\x00")
	if !ok {
		t.Fatalf("it begins with %q", all[:8])
	}
	found := entriesOf(t, []byte(ours))
	for name, want := range map[string]string{
		"portlab/bin/portlab": "the program", "portlab/files/0/it": "below", "portlab/files/1": "a file", "init": "portlab/bin/portlab",
	} {
		if !strings.Contains(found[name], want) {
			t.Errorf("%s is %q, want %q; there is %v", name, found[name], want, found)
		}
	}
	var told orders
	if err := json.Unmarshal([]byte(found["portlab/boot.json"]), &told); err != nil {
		t.Fatalf("the orders are %q: %v", found["portlab/boot.json"], err)
	}
	if d := cmp.Diff(o, told, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); d != "" {
		t.Error(d)
	}
}

func TestBadConfigIsRefusedBeforeAnythingIsStarted(t *testing.T) {
	for name, c := range map[string]Config{
		"processors":   {CPUs: -1},
		"memory":       {MemoryMiB: 1},
		"engine":       {Engine: true, Image: Image{Kind: Tiny}},
		"place":        {Files: map[string]string{"relative": "/etc/passwd"}},
		"the root":     {Files: map[string]string{"/": "/etc"}},
		"no such file": {Files: map[string]string{"/x": "/no/such/file"}},
		"accelerator":  {Accel: "magic"},
	} {
		if _, usage := errors.AsType[*lab.UsageError](c.complete()); !usage {
			t.Errorf("%s: %v", name, c.complete())
		}
	}
	other := map[string]string{"amd64": "arm64", "arm64": "amd64"}[runtime.GOARCH]
	if err := (&Config{Image: Image{Name: "tiny-bookworm", Arch: other}}).complete(); !errors.Is(err, lab.ErrUnsupported) {
		t.Errorf("an image for another processor: %v", err)
	}
}

// That KVM does not work is remembered for as long as this machine runs.
func TestFailureOfKVMIsRememberedUntilTheNextBoot(t *testing.T) {
	cache := t.TempDir()
	if failed(cache) {
		t.Error("it has failed before it was tried")
	}
	noteFailed(cache)
	if all, why := accelerators(AccelAuto, cache); !slices.Equal(all, []string{accelTCG}) || why == "" {
		t.Errorf("it takes %v, because %q", all, why)
	}
	if err := os.WriteFile(filepath.Join(cache, failedKVM), []byte("another boot"), 0o644); err != nil {
		t.Fatal(err)
	}
	if failed(cache) {
		t.Error("what another boot has found out counts still")
	}
	if all, _ := accelerators(AccelKVM, cache); !slices.Equal(all, []string{accelKVM}) {
		t.Errorf("asked for KVM it takes %v", all)
	}
}

func TestConsoleCannotConfuseATerminal(t *testing.T) {
	if got := printable("a\x1b[2Jb\x07\u009bc\n\td"); got != "a[2Jbc\n\td" {
		t.Errorf("%q", got)
	}
}
