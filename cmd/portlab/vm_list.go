package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/portlab/portlab/lab/vm"
)

// imageListing is what vm list, vm build and vm clean print: the JSON object is
// a contract with scripts.
type imageListing struct {
	SchemaVersion int           `json:"schema_version"`
	Dir           string        `json:"dir"` // where images are kept
	Images        []listedImage `json:"images"`
}

// listedImage is an image, with the paths of its files.
type listedImage struct {
	vm.Image
	Dir string `json:"dir"`
}

func listImages(dir string, images []vm.Image) imageListing {
	l := imageListing{SchemaVersion: schemaVersion, Dir: dir, Images: []listedImage{}}
	for _, i := range images {
		l.Images = append(l.Images, listedImage{Image: i, Dir: i.Dir})
	}
	return l
}

func (a *app) vmListCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "list the images of virtual machines: kernel, size, packages, and where they are",
		Args:  exactly(),
	}
	format := formatFlag(c)
	c.RunE = func(*cobra.Command, []string) error {
		if err := oneOf("format", *format, formatText, formatJSON); err != nil {
			return err
		}
		dir, err := vm.CacheDir()
		if err != nil {
			return err
		}
		images, err := vm.Images(dir)
		if err != nil {
			return err
		}
		l := listImages(dir, images)
		if *format == formatJSON {
			return printJSON(a.stdout, l)
		}
		return writeImages(a.stdout, l)
	}
	return c
}

func writeImages(w io.Writer, l imageListing) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "images are kept in %s\n", l.Dir)
	if len(l.Images) == 0 {
		fmt.Fprintln(out, "there is none: portlab vm build makes one")
	}
	for _, i := range l.Images {
		fmt.Fprintf(out, "\n%s: Linux %s, %s\n", i.Name, i.Release, i.Arch)
		field(out, "built", i.Built.Local().Format(time.DateTime))
		field(out, "takes", megabytes(i.Bytes))
		if len(i.Lacks) > 0 {
			field(out, "lacks", strings.Join(i.Lacks, ", "))
		}
		var packages []string
		for _, p := range i.Packages {
			packages = append(packages, p.Name+" "+p.Version)
		}
		field(out, "packages", strings.Join(packages, ", "))
	}
	return out.Flush()
}
