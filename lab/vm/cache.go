package vm

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/portlab/portlab/lab"
)

// CacheEnv is the environment variable that names the folder of images.
const CacheEnv = "PORTLAB_VM_CACHE"

// CacheDir is the folder of this user's images: what [CacheEnv] says, else
// portlab/vm in [os.UserCacheDir]. It need not be there.
func CacheDir() (string, error) {
	if dir := os.Getenv(CacheEnv); dir != "" {
		return filepath.Abs(dir)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", &lab.UnsupportedError{What: "images of virtual machines", Reason: err.Error(), Remedy: "say where to keep them: " + CacheEnv + "=FOLDER"}
	}
	return filepath.Join(cache, "portlab", "vm"), nil
}

// Images are those in a folder, by name. A folder that is not there has none.
// One that was made by another version of this program is listed too.
func Images(dir string) ([]Image, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for images: %w", err)
	}
	var found []Image
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), buildPrefix) {
			continue
		}
		i, err := load(filepath.Join(dir, e.Name()))
		if errors.Is(err, errNoImage) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found = append(found, i)
	}
	return found, nil
}

// Find finds an image in a folder by its name, or by its kind: the one that was
// built last. If there is none, or this program cannot boot it, that is a
// [lab.UnsupportedError] which says how to make it.
func Find(dir, name string) (Image, error) {
	all, err := Images(dir)
	if err != nil {
		return Image{}, err
	}
	fit := slices.DeleteFunc(slices.Clone(all), func(i Image) bool { return i.Name != name && string(i.Kind) != name })
	if len(fit) == 0 {
		return Image{}, &lab.UnsupportedError{What: "image " + name, Reason: "there is none in " + dir, Remedy: "make it: " + remedy(name)}
	}
	found := slices.MaxFunc(fit, func(a, b Image) int { return cmp.Or(a.Built.Compare(b.Built), cmp.Compare(a.Name, b.Name)) })
	return found, found.usable()
}

// remedy is the command that makes an image of that name, as far as the name
// says.
func remedy(name string) string {
	kind, suite, _ := strings.Cut(name, "-")
	if !slices.Contains(Kinds(), Kind(kind)) {
		return "portlab vm build tiny, or portlab vm build docker"
	}
	suite, _, ownKernel := strings.Cut(suite, "-")
	command := "portlab vm build " + kind
	if suite != "" {
		command += " --suite " + suite
	}
	if ownKernel {
		command += " --kernel FILE --modules FOLDER"
	}
	return command
}

// Clean removes the images of these names from a folder, or all if none is
// named, and what builds that died left there. It returns the images that it
// removed; a name that no image has is a [lab.UsageError], and then none is.
func Clean(dir string, names ...string) ([]Image, error) {
	all, err := Images(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if !slices.ContainsFunc(all, func(i Image) bool { return i.Name == name }) {
			return nil, lab.Usagef("no image in %s is called %q: portlab vm list shows them", dir, name)
		}
	}
	if err := sweepBuilds(dir); err != nil {
		return nil, err
	}
	var removed []Image
	for _, i := range all {
		if len(names) > 0 && !slices.Contains(names, i.Name) {
			continue
		}
		if err := os.RemoveAll(i.Dir); err != nil {
			return removed, fmt.Errorf("remove image %s: %w", i.Name, err)
		}
		removed = append(removed, i)
	}
	return removed, nil
}
