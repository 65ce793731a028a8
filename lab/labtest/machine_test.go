package labtest

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

func TestSettled(t *testing.T) {
	for line, want := range map[string]string{
		"# Completed on Sat Nov 21 10:00:00 2026":           "",
		":INPUT ACCEPT [12:3456]":                           ":INPUT ACCEPT",
		"-A X -m comment --comment [draft] -j ACCEPT":       "-A X -m comment --comment [draft] -j ACCEPT",
		"counter packets 12 bytes 3456 jump X":              "counter jump X",
		"2: eth0 inet 192.0.2.1/24 valid_lft 86sec":         "2: eth0 inet 192.0.2.1/24",
		"default via 192.0.2.254 dev eth0":                  "default via 192.0.2.254 dev eth0",
		"3: br0: <UP> mtu 1500 qdisc noqueue state UP [0:0": "3: br0: <UP> mtu 1500 qdisc noqueue state UP [0:0",
	} {
		if got := settled(line); got != want {
			t.Errorf("settled(%q) = %q, want %q", line, got, want)
		}
	}
}

// A process of a run is seen, and no longer when it has ended.
func TestSnapshotSeesAProcessOfARun(t *testing.T) {
	before, err := showProcesses()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sleep", "60")
	cmd.Env = append(os.Environ(), "PORTLAB_RUN=zzzzzz")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	mark := "process " + strconv.Itoa(cmd.Process.Pid) + " PORTLAB_RUN=zzzzzz"
	during, err := showProcesses()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(before, mark) || !strings.Contains(during, mark) {
		t.Errorf("before:\n%s\nwhile it runs:\n%s", before, during)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("it was killed and ended well")
	}
	after, err := showProcesses()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(after, mark) {
		t.Errorf("it has ended and is seen:\n%s", after)
	}
}

func TestMachineDiff(t *testing.T) {
	m := Machine{"ip netns": "a"}
	if d := m.Diff(Machine{"ip netns": "a"}); d != "" {
		t.Errorf("equal machines differ:\n%s", d)
	}
	if d := m.Diff(Machine{"ip netns": "a\nb"}); !strings.Contains(d, "b") {
		t.Errorf("the difference does not show what is new:\n%s", d)
	}
}

func TestSnapshotHasEveryPart(t *testing.T) {
	m, err := Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	parts := []string{"sysctl", "processes of runs"}
	for _, words := range pictures {
		parts = append(parts, strings.Join(words, " "))
	}
	for _, p := range parts {
		if _, ok := m[p]; !ok {
			t.Errorf("it has no part %q", p)
		}
	}
	if !strings.Contains(m["sysctl"], "/conf/lo/route_localnet = ") {
		t.Errorf("no route_localnet of lo:\n%s", m["sysctl"])
	}
}
