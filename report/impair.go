package report

import (
	"strings"

	"github.com/portlab/portlab/lab"
)

// impairedPath says what the path between client and host did to packets; empty:
// nothing.
func impairedPath(r *lab.Result) string {
	var all []string
	for _, i := range r.Impairments {
		all = append(all, strings.ReplaceAll(i.String(), ",", ", "))
	}
	if len(all) == 0 {
		return ""
	}
	return "impaired, each way: " + strings.Join(all, "; then ")
}
