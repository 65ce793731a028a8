package docker

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/portlab/portlab/lab"
)

// Labels of everything that a run makes on an engine.
const (
	labelRun  = lab.LabelRun
	labelHome = "portlab.home" // the machine and namespace that the run is of
)

func labels(run lab.RunID, home string) map[string]string {
	return map[string]string{labelRun: string(run), labelHome: home}
}

// imageName is that of the replicas' image. Each run has its own, so that two
// runs of two versions do not disturb each other; the engine shares what is
// equal in them.
func imageName(run lab.RunID) string { return "portlab-http-server:" + string(run) }

// makeImage makes the replicas' image from scratch: the static binary and
// nothing else. No registry is asked.
func (e *engine) makeImage(ctx context.Context, run lab.RunID, binary string) (string, error) {
	if err := mustBeStatic(binary); err != nil {
		return "", err
	}
	name := imageName(run)
	return name, e.importImage(ctx, name, run, "/portlab", func(w *tar.Writer) error {
		return addFile(w, binary, "portlab")
	})
}

// importImage makes an image of one layer from what write puts into a tar.
func (e *engine) importImage(ctx context.Context, name string, run lab.RunID, entrypoint string, write func(*tar.Writer) error) error {
	r, w := io.Pipe()
	go func() {
		t := tar.NewWriter(w)
		err := write(t)
		if err == nil {
			err = t.Close()
		}
		w.CloseWithError(err)
	}()
	changes := []string{fmt.Sprintf("ENTRYPOINT [%q]", entrypoint)}
	for k, v := range labels(run, e.home) {
		changes = append(changes, fmt.Sprintf("LABEL %s=%q", k, v))
	}
	ctx, cancel := uncut(ctx)
	defer cancel()
	out, err := e.api.ImageImport(ctx, client.ImageImportSource{Source: r, SourceName: "-"}, name, client.ImageImportOptions{Changes: changes})
	if err != nil {
		r.CloseWithError(err)
		return fmt.Errorf("make image %s: %w", name, err)
	}
	_, err = io.Copy(io.Discard, out)
	return errors.Join(err, out.Close())
}

func addFile(t *tar.Writer, from, to string) error {
	f, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("read %s for an image: %w", from, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := t.WriteHeader(&tar.Header{Name: to, Mode: 0o755, Size: info.Size(), Typeflag: tar.TypeReg}); err != nil {
		return err
	}
	_, err = io.CopyN(t, f, info.Size())
	return err
}

// mustBeStatic makes sure that a binary runs in an image that has nothing
// else. It returns an [lab.UnsupportedError] if it needs a dynamic loader.
func mustBeStatic(binary string) error {
	if static(binary) {
		return nil
	}
	return &lab.UnsupportedError{
		What: "an image for the replicas", Reason: binary + " is no static program and would not start in it",
		Remedy: "build it with CGO_ENABLED=0, as `make build` does",
	}
}

// removeImage removes an image by name; no error if it is gone.
func (e *engine) removeImage(ctx context.Context, name string) error {
	_, err := e.api.ImageRemove(ctx, name, client.ImageRemoveOptions{Force: true, PruneChildren: true})
	if err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("remove image %s: %w", name, err)
	}
	return nil
}

// hasImage says whether the engine has an image already.
func (e *engine) hasImage(ctx context.Context, name string) bool {
	_, err := e.api.ImageInspect(ctx, name)
	return err == nil
}
