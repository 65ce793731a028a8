package docker_test

import (
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
)

// greeter is nginx, which answers by its configuration or from a file. Its
// folder may be one that it cannot write to.
func greeter(front, answer string, files map[string]string) lab.Sidecar {
	files["nginx.conf"] = `daemon off; user root; pid /tmp/nginx.pid; error_log stderr; events {}
http {
    access_log off;
    client_body_temp_path /tmp/1; proxy_temp_path /tmp/2; fastcgi_temp_path /tmp/3; uwsgi_temp_path /tmp/4; scgi_temp_path /tmp/5;
    server { listen ` + front + `; location / { ` + answer + ` } }
}
`
	return lab.Sidecar{
		Name: "greeter", Program: "nginx", Args: []string{"-e", "stderr", "-c", lab.SidecarDir + "/nginx.conf"}, Files: files,
	}
}

// A sidecar in a container gets its new files: by a copy and a signal, or in
// the place where it watches them itself.
func TestSidecarGetsNewFiles(t *testing.T) {
	_, err := lab.FindProgram("nginx")
	labtest.Require(t, "nginx", err == nil, errText(err))
	f := mustOpen(t, lab.FleetSpec{Replicas: 1, Placement: lab.OwnNetns})
	at := f.Blueprint().Front.Endpoints()[0].String()
	told := func(text string) lab.Sidecar {
		s := greeter(at, `return 200 "`+text+`";`, map[string]string{})
		s.ReloadSignal = syscall.SIGHUP
		return s
	}
	watching := func(text string) lab.Sidecar {
		s := greeter(at, "root "+lab.SidecarDir+";", map[string]string{"greeting": text})
		s.Watches = true
		return s
	}
	for how, c := range map[string]struct {
		sidecar func(string) lab.Sidecar
		path    string
	}{"by a signal": {told, "/"}, "by watching": {watching, "/greeting"}} {
		t.Run(how, func(t *testing.T) {
			all := f.Host().Sidecars()
			if err := all.Start(t.Context(), c.sidecar("one")); err != nil {
				t.Fatal(err)
			}
			if got := get(t, "http://"+at+c.path); got != "one" {
				t.Errorf("it answers %q", got)
			}
			if err := all.Reload(t.Context(), c.sidecar("two")); err != nil {
				t.Fatal(err)
			}
			for late := time.Now().Add(10 * time.Second); get(t, "http://"+at+c.path) != "two"; { // a signal has no answer
				if time.Now().After(late) {
					t.Fatal("the new file was not read")
				}
			}
			if err := all.Stop(t.Context(), "greeter"); err != nil {
				t.Error(err)
			}
		})
	}
}

// A program that is nowhere is no reason to ask a registry.
func TestSidecarIsNotPulled(t *testing.T) {
	f := mustOpen(t, lab.FleetSpec{Replicas: 1, Placement: lab.OwnNetns})
	err := f.Host().Sidecars().Start(t.Context(), lab.Sidecar{Name: "none", Program: "no-such-program", Image: "no-such-image:none"})
	if !errors.Is(err, lab.ErrUnsupported) {
		t.Errorf("%v, want that it is not here", err)
	}
}
