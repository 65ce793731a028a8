package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// programFolders are looked at after PATH: distributions put what no person
// types, such as docker-proxy, in folders that PATH does not name.
var programFolders = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/libexec/docker", "/usr/lib/systemd", "/lib/systemd"}

// FindProgram gives the path of a program of this machine: what the variable
// PORTLAB_NAME says (for docker-proxy, PORTLAB_DOCKER_PROXY), then one beside
// portlab's own binary, then what PATH finds, then the folders where
// distributions keep such programs. It returns an [UnsupportedError] if there
// is none.
func FindProgram(name string) (string, error) {
	variable := "PORTLAB_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	if path := os.Getenv(variable); path != "" {
		if !executable(path) {
			return "", &UnsupportedError{
				What: name, Reason: variable + " names " + path + ", which is no program",
				Remedy: "name the program's file, or unset " + variable,
			}
		}
		return path, nil
	}
	if self, err := os.Executable(); err == nil {
		if path := filepath.Join(filepath.Dir(self), name); executable(path) {
			return path, nil
		}
	}
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range programFolders {
		if path := filepath.Join(dir, name); executable(path) {
			return path, nil
		}
	}
	return "", &UnsupportedError{
		What: name, Reason: "there is no such program on this machine",
		Remedy: "install it, or name its file in " + variable,
	}
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
