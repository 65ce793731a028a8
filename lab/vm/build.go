package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/portlab/portlab/lab"
)

// The phases of a build, in order, for a progress display.
const (
	Listing     lab.Phase = "fetching the lists of packages"
	Downloading lab.Phase = "fetching packages"
	Unpacking   lab.Phase = "unpacking packages"
	Writing     lab.Phase = "writing the image"
)

// Build makes an image from the packages of this machine's distribution and
// puts it among the others; one of the same name is replaced. It is the only
// part of the project that fetches anything, and it tells how much beforehand.
// It needs no privilege: packages are unpacked, and none of their scripts run.
//
// A bad configuration is a [lab.UsageError], a machine on which it cannot be
// done a [lab.UnsupportedError]; then nothing was fetched. A build that fails or
// is interrupted leaves nothing.
func Build(ctx context.Context, cfg BuildConfig) (Image, error) {
	if cfg.Arch == "" {
		cfg.Arch = runtime.GOARCH
	}
	if cfg.Watch == nil {
		cfg.Watch = func(lab.Event) {}
	}
	if err := cfg.check(); err != nil {
		return Image{}, err
	}
	d, err := thisDistribution(os.DirFS("/"))
	if err != nil {
		return Image{}, err
	}
	if cfg.Suite == "" {
		cfg.Suite = d.codename
	}
	if i, err := Find(cfg.Dir, cfg.name("")); cfg.Missing && err == nil && i.hasAll(cfg.With) {
		return i, nil
	}
	if err := cfg.programs(); err != nil {
		return Image{}, err
	}
	at, err := newSite(cfg.Dir)
	if err != nil {
		return Image{}, err
	}
	image, err := cfg.build(ctx, d, at)
	return image, errors.Join(err, at.close())
}

// build makes the image in a folder of its own, and names it when all is there.
func (cfg BuildConfig) build(ctx context.Context, d distribution, at *site) (Image, error) {
	b, err := newBuilder(cfg, at.dir)
	if err != nil {
		return Image{}, err
	}
	if err := errors.Join(b.make(ctx, d), b.close(), ctx.Err()); err != nil {
		return Image{}, err
	}
	if err := at.publish(b.image.Dir, cfg.Dir, b.image.Name); err != nil {
		return Image{}, err
	}
	return load(filepath.Join(cfg.Dir, b.image.Name))
}

// make fetches, unpacks and writes.
func (b *builder) make(ctx context.Context, d distribution) error {
	if err := b.fetch(ctx, d); err != nil {
		return err
	}
	if err := b.unpack(ctx); err != nil {
		return err
	}
	b.cfg.Watch(lab.Event{Phase: Writing})
	write := map[Kind]func(context.Context) error{Tiny: b.writeTiny, Docker: b.writeDocker}[b.cfg.Kind]
	if err := write(ctx); err != nil {
		return err
	}
	b.image.Built = time.Now().UTC().Truncate(time.Second)
	return b.finish()
}

// name is what the image is called: KIND-SUITE and, with a kernel of one's own,
// its release.
func (cfg BuildConfig) name(release string) string {
	name := string(cfg.Kind) + "-" + cfg.Suite
	if cfg.Kernel != "" {
		name += "-" + release
	}
	return name
}

// estimate says in a sentence what will be fetched.
func estimate(all []fetch, suite string) string {
	var n int64
	for _, f := range all {
		n += f.bytes
	}
	return fmt.Sprintf("fetching %d packages of %s, %.1f MB, by this machine's apt", len(all), suite, float64(n)/1e6)
}
