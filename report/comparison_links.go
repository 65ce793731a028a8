package report

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// linked makes words a link to the report in a run's folder, if there is one.
// It is a link by number, defined at the end, so that a table of links can be
// read as text too.
func (d *digest) linked(words, folder string) string {
	if folder == "" {
		return words
	}
	if !slices.Contains(d.links, folder) {
		d.links = append(d.links, folder)
	}
	return fmt.Sprintf("[%s][%d]", words, slices.Index(d.links, folder)+1)
}

// definitions say where the links by number lead.
func (p *page) definitions(d *digest) {
	for i, folder := range d.links {
		fmt.Fprintf(p, "[%d]: %s\n", i+1, linkTo(path.Join(folder, reportFile)))
	}
	p.gap(len(d.links))
}

// linkTo writes a relative path as the destination of a link: what is not
// plain is escaped (RFC 3986, 2.1).
func linkTo(to string) string {
	var b strings.Builder
	for _, c := range []byte(to) {
		if strings.IndexByte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/=,+", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
