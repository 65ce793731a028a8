package docker

import "github.com/portlab/portlab/lab/kernel"

// forgetDatagrams has what the engine publishes count for clients, too, whose
// datagrams to the same address and port an earlier run has answered on the host:
// the kernel would track them without the engine's translation for two minutes
// more. step.Retrack does the same for the rules of strategies.
func (f *fleet) forgetDatagrams() error {
	if !f.blueprint.Facts.Published || transport(f.spec) != "udp" || !kernel.HasNetAdmin() {
		return nil
	}
	front := f.blueprint.Front.Endpoints()
	_, err := f.host.Flows().Forget(front, front)
	return err
}
