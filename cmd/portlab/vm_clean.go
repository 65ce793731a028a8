package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/portlab/portlab/lab/vm"
)

func (a *app) vmCleanCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "clean [NAME...]",
		Short: "remove images of virtual machines: all, or those named",
		Long: `clean removes images, and what builds that died have left beside them. vm list
shows the names. A machine that runs on an image is not disturbed.`,
		Example: `  portlab vm clean
  portlab vm clean tiny-bookworm`,
		Args: cobra.ArbitraryArgs,
	}
	format := formatFlag(c)
	c.RunE = func(_ *cobra.Command, names []string) error {
		if err := oneOf("format", *format, formatText, formatJSON); err != nil {
			return err
		}
		dir, err := vm.CacheDir()
		if err != nil {
			return err
		}
		removed, err := vm.Clean(dir, names...)
		if err != nil && len(removed) == 0 {
			return err
		}
		return errors.Join(a.printRemoved(listImages(dir, removed), *format), err)
	}
	return c
}

func (a *app) printRemoved(l imageListing, format string) error {
	if format == formatJSON {
		return printJSON(a.stdout, l)
	}
	if len(l.Images) == 0 {
		_, err := fmt.Fprintf(a.stdout, "there is no image in %s\n", l.Dir)
		return err
	}
	for _, i := range l.Images {
		if _, err := fmt.Fprintf(a.stdout, "removed %s, %s freed\n", i.Name, megabytes(i.Bytes)); err != nil {
			return err
		}
	}
	return nil
}
