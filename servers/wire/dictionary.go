package wire

import "fmt"

// keys are those that this version knows; the constants are their indices.
var keys = [...]string{"v", "instance", "conn", "req", "client", "service-ns"}

const (
	keyVersion = iota
	keyInstance
	keyConnection
	keyRequest
	keyClient
	keyService
)

// kind is the type of a member's value, as far as the format tells them apart.
type kind byte

const (
	kindNone    kind = iota // there is no such member
	kindInteger             // Integer
	kindText                // String or Display String
	kindOther               // any other item, or an inner list
)

// value is what a member of the dictionary holds.
type value struct {
	kind    kind
	integer int64
	text    string
}

// dictionary holds the members whose keys are known.
type dictionary [len(keys)]value

// read parses a Dictionary (RFC 9651, section 4.2.2) to its end.
func (d *dictionary) read(s string) error {
	p := parser{s: s}
	p.skip(" ")
	for !p.done() {
		if err := d.member(&p); err != nil {
			return err
		}
		p.skip(" \t")
		if p.done() {
			return nil
		}
		if !p.accept(',') {
			return p.fault("a comma")
		}
		p.skip(" \t")
		if p.done() {
			return p.fault("another key after the comma")
		}
	}
	return nil
}

func (d *dictionary) member(p *parser) error {
	key, err := p.key()
	if err != nil {
		return err
	}
	v := value{kind: kindOther} // a key alone is Boolean true
	if p.accept('=') {
		if v, err = p.itemOrList(); err != nil {
			return err
		}
	} else if err := p.parameters(); err != nil {
		return err
	}
	for i, known := range keys {
		if key == known {
			d[i] = v
		}
	}
	return nil
}

func (d *dictionary) integer(key int) (int64, error) {
	switch d[key].kind {
	case kindInteger:
		return d[key].integer, nil
	case kindNone:
		return 0, missing(key)
	}
	return 0, fmt.Errorf("%s is not an Integer", keys[key])
}

func (d *dictionary) text(key int) (string, error) {
	switch d[key].kind {
	case kindText:
		return d[key].text, nil
	case kindNone:
		return "", missing(key)
	}
	return "", fmt.Errorf("%s is not a String", keys[key])
}

func missing(key int) error { return fmt.Errorf("the key %s is missing", keys[key]) }
