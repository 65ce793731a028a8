package main

import (
	"github.com/spf13/cobra"

	"github.com/portlab/portlab/lab"
)

// helpCommand is cobra's, but that it refuses what is no command.
func (a *app) helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "help about a command",
		RunE: func(c *cobra.Command, args []string) error {
			about, rest, err := c.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return noCommand(c.Root(), args)
			}
			about.SetOut(a.stdout)
			return about.Help()
		},
	}
}

// noCommand is what happens when the first word is no command.
func noCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return root.Help()
	}
	var names []string
	for _, sub := range root.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	return lab.Usagef("unknown command %q%s: see portlab --help", args[0], orNearest("", args[0], names))
}
