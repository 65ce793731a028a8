package servers

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const documented = `{"listen":["0.0.0.0:8080"],"upstreams":[{"address":"198.18.0.2:80","weight":1}]}`

func TestReadProxyConfig(t *testing.T) {
	path := filepath.Join(t.TempDir(), "proxy.json")
	if err := os.WriteFile(path, []byte(documented), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := ReadProxyConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := json.Marshal(c); err != nil || string(got) != documented {
		t.Errorf("read and written it is %s, %v; want %s", got, err, documented)
	}
	if _, err := ReadProxyConfig(path + "x"); !errors.Is(err, ErrConfig) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("of a file that is not there: %v", err)
	}
}

func TestProxyConfigIsStrict(t *testing.T) {
	with := func(part, instead string) string { return strings.Replace(documented, part, instead, 1) }
	for text, what := range map[string]string{
		``:                                     "EOF",
		`{}`:                                   `"listen" names no address`,
		`null`:                                 `"listen" names no address`,
		documented + `{}`:                      "follows",
		with(`"weight":1`, `"weigth":1`):       `unknown field "weigth"`,
		with(`,"weight":1`, ``):                `"weight" of more than 0`,
		with(`"weight":1`, `"weight":0`):       `"weight" of more than 0`,
		with(`"weight":1`, `"weight":-1`):      `"weight" of more than 0`,
		with(`"weight":1`, `"weight":1e10`):    `"weight" of more than 0`,
		with(`"weight":1`, `"weight":"1"`):     "weight",
		with(`198.18.0.2:80`, `198.18.0.2`):    `"198.18.0.2" is no address`,
		with(`198.18.0.2:80`, `198.18.0.2:0`):  "port 0",
		with(`"address":"198.18.0.2:80",`, ``): `"address" "" is no address`,
		with(`["0.0.0.0:8080"]`, `[""]`):       `"listen" entry 1: "" is no address`,
		with(`["0.0.0.0:8080"]`, `["127.0.0.1:1","127.0.0.1:1"]`): `"listen" names 127.0.0.1:1 twice`,
		`{"listen":["0.0.0.0:8080"],"upstreams":[]}`:              `"upstreams" names no server`,
		with(`{"address":"198.18.0.2:80","weight":1}`,
			`{"address":"[::1]:1","weight":1},{"address":"[::1]:1","weight":2}`): `"upstreams" names [::1]:1 twice`,
	} {
		if c, err := parseProxyConfig([]byte(text)); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: got %+v, %v; want an error about %q", text, c, err, what)
		}
	}
}

// FuzzProxyConfig: what is accepted can be served by, and written again.
func FuzzProxyConfig(f *testing.F) {
	f.Add(documented)
	f.Add(`{"listen":["[::1%lo]:0"],"upstreams":[{"address":"[::1]:1","weight":1e-300},{"address":"[::1]:2","weight":1e9}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseProxyConfig([]byte(text))
		if err != nil {
			return
		}
		if to := newBalancer(c.Upstreams).next(); !to.IsValid() || to.Port() == 0 {
			t.Errorf("the first turn goes to %v", to)
		}
		again, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if d, err := parseProxyConfig(again); err != nil || !reflect.DeepEqual(c, d) {
			t.Errorf("%s: %+v, %v; want %+v", again, d, err, c)
		}
	})
}
