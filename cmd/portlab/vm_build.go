package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/portlab/portlab/lab/vm"
)

// vmBuildFlags are those of vm build.
type vmBuildFlags struct {
	suite           string
	with            []string
	kernel, modules string
	missing         bool
	quiet           bool
	format, color   *string
}

func (a *app) vmBuildCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "build [tiny|docker]",
		Short: "make an image from Debian's packages, which it fetches",
		Long: `build makes the image KIND-SUITE, such as tiny-bookworm, and keeps it for vm run
and --in-vm. One of that name is replaced when the new one is whole.

  tiny     a kernel, its modules for networks, busybox, iptables, nftables, ipvsadm,
           conntrack and iproute2; all in memory, no disk (the default)
  docker   these, and a Docker engine, on a disk

The packages come from the sources that this machine's apt has, of Debian 12 or
newer; apt checks their signatures. build says how much it fetches before it
does so. It needs no root: packages are unpacked, and nothing is installed.`,
		Example: `  portlab vm build
  portlab vm build docker --suite trixie
  portlab vm build tiny --with haproxy,nginx
  portlab vm build tiny --kernel /boot/vmlinuz --modules /lib/modules/6.12.0`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return exactly("KIND")(c, args)
		},
	}
	f := &vmBuildFlags{}
	c.Flags().StringVar(&f.suite, "suite", "", "Debian's `SUITE`, which decides the kernel: bookworm has 6.1, trixie 6.12 (default: this machine's)")
	c.Flags().StringSliceVar(&f.with, "with", nil, "further packages, with what they need: `PACKAGE,...`")
	c.Flags().StringVar(&f.kernel, "kernel", "", "a kernel's `FILE`, instead of the suite's, with --modules; for tiny")
	c.Flags().StringVar(&f.modules, "modules", "", "the `FOLDER` of that kernel's modules, such as /lib/modules/RELEASE")
	c.Flags().BoolVar(&f.missing, "if-missing", false, "keep an image of that name that has these packages, and fetch nothing")
	c.Flags().BoolVarP(&f.quiet, "quiet", "q", false, "say nothing on the way")
	f.format, f.color = formatFlag(c), colorFlag(c)
	c.ValidArgs = kinds()
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := oneOf("format", *f.format, formatText, formatJSON); err != nil {
			return err
		}
		kind := vm.Tiny
		if len(args) > 0 {
			kind = vm.Kind(args[0])
		}
		return a.vmBuild(c.Context(), kind, f)
	}
	return c
}

func kinds() []string {
	var words []string
	for _, k := range vm.Kinds() {
		words = append(words, string(k))
	}
	return words
}

func (a *app) vmBuild(ctx context.Context, kind vm.Kind, f *vmBuildFlags) error {
	dir, err := vm.CacheDir()
	if err != nil {
		return err
	}
	begun := time.Now()
	display := a.newDisplay(f.quiet, *f.color)
	image, err := vm.Build(ctx, vm.BuildConfig{
		Dir: dir, Kind: kind, Suite: f.suite, With: f.with, Kernel: f.kernel, Modules: f.modules, Missing: f.missing, Watch: display.event,
	})
	display.end(err == nil)
	if err != nil {
		return err
	}
	if *f.format == formatJSON {
		return printJSON(a.stdout, listImages(dir, []vm.Image{image}))
	}
	how := "built in " + short(time.Since(begun).Round(time.Second))
	if image.Built.Before(begun.Truncate(time.Second)) { // the image's time is in whole seconds
		how = "built " + image.Built.Local().Format(time.DateTime)
	}
	_, err = fmt.Fprintf(a.stdout, "%s: Linux %s, %s, %d packages, %s: %s\n",
		image.Name, image.Release, megabytes(image.Bytes), len(image.Packages), how, image.Dir)
	return err
}

// megabytes is a number of bytes in units of a million.
func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
