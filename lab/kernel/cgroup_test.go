package kernel

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab/labtest"
)

func TestGroupPath(t *testing.T) {
	const (
		old    = "30 24 0:26 / /sys/fs/cgroup/memory rw - cgroup none rw,memory\n"
		mounts = "24 18 0:21 / /sys/fs/cgroup rw shared:4 - tmpfs none rw\n" + old +
			"33 24 0:29 / /sys/fs/cgroup/unified rw,nosuid shared:9 - cgroup2 none rw\n"
	)
	for name, c := range map[string]struct{ mounts, groups, want string }{
		"beside version 1": {mounts, "4:memory:/a\n0::/\n", "/sys/fs/cgroup/unified"},
		"below":            {mounts, "0::/user.slice/session-1.scope\n", "/sys/fs/cgroup/unified/user.slice/session-1.scope"},
		"root of a part":   {"33 24 0:29 /part /cg rw - cgroup2 none rw\n", "0::/part/own\n", "/cg/own"},
		"other part":       {"33 24 0:29 /part /cg rw - cgroup2 none rw\n", "0::/own\n", ""},
		"not mounted":      {old, "0::/own\n", ""},
	} {
		own, ok := groupOf(c.groups)
		if !ok {
			t.Errorf("%s: no group in %q", name, c.groups)
		}
		if got, ok := groupPath(c.mounts, own); got != c.want || ok != (c.want != "") {
			t.Errorf("%s: %q, %v, want %q", name, got, ok, c.want)
		}
	}
	if own, ok := groupOf("4:memory:/a\n"); ok {
		t.Errorf("%q, want that there is no group of version 2", own)
	}
}

// What is opened by a mount of one's own is the same folder.
func TestGroupIsTheSameByAMountOfOnesOwn(t *testing.T) {
	requireRoot(t)
	shown, err := openGroup()
	no(t, err)
	defer shown.Close()
	unseen, err := openGroupUnseen("/")
	labtest.Require(t, "cgroup2", !errors.Is(err, unix.ENODEV) && !errors.Is(err, unix.ENOSYS), "the kernel mounts none")
	no(t, err)
	defer unseen.Close()
	var a, b unix.Statfs_t
	no(t, errors.Join(unix.Fstatfs(int(shown.Fd()), &a), unix.Fstatfs(int(unseen.Fd()), &b)))
	if a.Type != unix.CGROUP2_SUPER_MAGIC || b.Type != a.Type {
		t.Errorf("file systems of type %x and %x", a.Type, b.Type)
	}
}
