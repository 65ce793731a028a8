package main

import (
	"github.com/spf13/cobra"

	"github.com/portlab/portlab/lab"
)

func (a *app) vmCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "vm COMMAND",
		Short: "virtual machines with other kernels: build their images, list and remove them",
		Long: `vm keeps the images of small virtual machines, for what this machine's kernel
does not have. An image is made once, by vm build, from Debian's packages, and
kept in the folder portlab/vm of the user's cache, or where PORTLAB_VM_CACHE says.
Only vm build fetches anything.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return lab.Usagef("vm wants a command: see portlab vm --help")
			}
			var names []string
			for _, sub := range c.Commands() {
				names = append(names, sub.Name())
			}
			return lab.Usagef("vm has no command %q%s: see portlab vm --help", args[0], orNearest("", args[0], names))
		},
	}
	c.AddCommand(a.vmRunCommand(), a.vmBuildCommand(), a.vmListCommand(), a.vmCleanCommand())
	return c
}
