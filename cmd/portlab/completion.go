package main

import (
	"github.com/spf13/cobra"

	"github.com/portlab/portlab/lab"
)

func (a *app) completionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish"}
	return &cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "print the completion script of a shell",
		Example: `  source <(portlab completion bash)
  portlab completion zsh > "${fpath[1]}/_portlab"
  portlab completion fish > ~/.config/fish/completions/portlab.fish`,
		Args:      exactly("SHELL"),
		ValidArgs: shells,
		RunE: func(c *cobra.Command, args []string) error {
			root := c.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(a.stdout, true)
			case "zsh":
				return root.GenZshCompletion(a.stdout)
			case "fish":
				return root.GenFishCompletion(a.stdout, true)
			}
			return lab.Usagef("no completion for %q%s: there is one for bash, zsh and fish", args[0], orNearest("", args[0], shells))
		},
	}
}
