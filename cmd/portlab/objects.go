package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/servers"
)

// objectsCommand gives an API server of Kubernetes what the strategy kube-proxy
// wants it to hold. It says on file descriptor 3 when that is done.
func (a *app) objectsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:    "objects --config FILE",
		Short:  "give an API server of Kubernetes its objects, again on SIGHUP",
		Hidden: true,
		Args:   exactly(),
	}
	config := c.Flags().String("config", "", "file that says which objects, and where the API server is")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if strings.TrimSpace(*config) == "" {
			return lab.Usagef("portlab objects wants --config FILE")
		}
		return servers.RunObjects(c.Context(), *config, os.NewFile(3, "ready"), a.stderr)
	}
	return c
}
