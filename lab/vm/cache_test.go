package vm

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
)

// fakeImage puts an image into a folder.
func fakeImage(t *testing.T, cache, name string, kind Kind, built time.Time) Image {
	t.Helper()
	dir := filepath.Join(cache, name)
	i := Image{Name: name, Kind: kind, Dir: dir, Kernel: filepath.Join(dir, kernelFile), Initrd: filepath.Join(dir, initrdFile), Built: built, Bytes: 7}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{i.Kernel, i.Initrd} {
		if err := os.WriteFile(f, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := i.save(); err != nil {
		t.Fatal(err)
	}
	return i
}

// images are three, in a folder that then gets another name.
func images(t *testing.T) string {
	t.Helper()
	made := filepath.Join(t.TempDir(), "made")
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	fakeImage(t, made, "tiny-bookworm", Tiny, day)
	fakeImage(t, made, "tiny-trixie", Tiny, day.Add(time.Hour))
	fakeImage(t, made, "docker-trixie", Docker, day)
	if err := os.Mkdir(filepath.Join(made, "unrelated"), 0o755); err != nil {
		t.Fatal(err)
	}
	cache := made + "-moved"
	if err := os.Rename(made, cache); err != nil {
		t.Fatal(err)
	}
	return cache
}

func named(images []Image) []string {
	var all []string
	for _, i := range images {
		all = append(all, i.Name)
	}
	return all
}

func TestImageIsFoundByNameOrKind(t *testing.T) {
	cache := images(t)
	all, err := Images(cache)
	if want := []string{"docker-trixie", "tiny-bookworm", "tiny-trixie"}; err != nil || !slices.Equal(named(all), want) {
		t.Errorf("there are %v (%v), want %v", named(all), err, want)
	}
	for name, want := range map[string]string{"tiny-bookworm": "tiny-bookworm", "tiny": "tiny-trixie", "docker": "docker-trixie"} {
		i, err := Find(cache, name)
		if err != nil || i.Name != want {
			t.Errorf("%s is %s (%v), want %s", name, i.Name, err, want)
		}
		if at := filepath.Join(cache, want, kernelFile); i.Kernel != at {
			t.Errorf("the kernel of %s is %s, want %s", name, i.Kernel, at)
		}
	}
}

func TestImageThatIsNotThereSaysHowToMakeIt(t *testing.T) {
	for name, want := range map[string]string{
		"tiny": "portlab vm build tiny", "tiny-forky": "portlab vm build tiny --suite forky",
		"docker-bookworm":       "portlab vm build docker --suite bookworm",
		"tiny-bookworm-6.18-my": "portlab vm build tiny --suite bookworm --kernel FILE --modules FOLDER",
		"nonsense":              "portlab vm build tiny, or portlab vm build docker",
	} {
		_, err := Find(t.TempDir(), name)
		unsupported, ok := errors.AsType[*lab.UnsupportedError](err)
		if !ok || !strings.HasSuffix(unsupported.Remedy, ": "+want) {
			t.Errorf("%s: %v, want the remedy %q", name, err, want)
		}
	}
	if _, err := Find(filepath.Join(t.TempDir(), "none"), "tiny"); !errors.Is(err, lab.ErrUnsupported) {
		t.Errorf("where there is no folder: %v", err)
	}
}

func TestImageThatCannotBeBootedIsNotFound(t *testing.T) {
	cache := images(t)
	if err := os.Remove(filepath.Join(cache, "docker-trixie", kernelFile)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(cache, "tiny-bookworm", imageFile)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(string(text), `"schema_version": 1`, `"schema_version": 99`, 1)
	if err := os.WriteFile(file, []byte(other), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"docker-trixie", "tiny-bookworm"} {
		if _, err := Find(cache, name); !errors.Is(err, lab.ErrUnsupported) {
			t.Errorf("%s: %v, want that it cannot be used", name, err)
		}
	}
}

func TestCleanRemovesWhatIsNamed(t *testing.T) {
	cache := images(t)
	if _, err := Clean(cache, "tiny-bookworm", "nonsense"); err == nil {
		t.Error("an image that is not there was removed")
	}
	removed, err := Clean(cache, "tiny-bookworm")
	if want := []string{"tiny-bookworm"}; err != nil || !slices.Equal(named(removed), want) {
		t.Errorf("removed %v (%v), want %v", named(removed), err, want)
	}
	removed, err = Clean(cache)
	if want := []string{"docker-trixie", "tiny-trixie"}; err != nil || !slices.Equal(named(removed), want) {
		t.Errorf("removed %v (%v), want %v", named(removed), err, want)
	}
	if _, err := os.Stat(filepath.Join(cache, "unrelated")); err != nil {
		t.Errorf("what is no image: %v", err)
	}
}

// What a build that died has left goes; a build that lives is left alone.
func TestDeadBuildsAreSweptAndLivingOnesNot(t *testing.T) {
	cache := t.TempDir()
	living, err := newSite(cache)
	if err != nil {
		t.Fatal(err)
	}
	dead, err := newSite(cache)
	if err != nil {
		t.Fatal(err)
	}
	if err := dead.lock.Close(); err != nil { // as the kernel does for a process that has died
		t.Fatal(err)
	}
	if _, err := Clean(cache); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dead.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder of a dead build: %v", err)
	}
	if _, err := os.Stat(living.dir); err != nil {
		t.Errorf("the folder of a living build: %v", err)
	}
	if err := living.close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(cache); err != nil || len(left) > 0 {
		t.Errorf("%v is left (%v)", left, err)
	}
}

func TestNewImageTakesTheOldOnesPlace(t *testing.T) {
	cache := t.TempDir()
	fakeImage(t, cache, "tiny-bookworm", Tiny, time.Unix(1, 0))
	s, err := newSite(cache)
	if err != nil {
		t.Fatal(err)
	}
	again := fakeImage(t, s.dir, "image", Tiny, time.Unix(2, 0))
	if err := s.publish(again.Dir, cache, "tiny-bookworm"); err != nil {
		t.Fatal(err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	all, err := Images(cache)
	if err != nil || len(all) != 1 || all[0].Built.Unix() != 2 {
		t.Errorf("there are %+v (%v), want the new image alone", all, err)
	}
}
