package report

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portlab/portlab/lab"
)

// htmlPage is a report as a page.
func htmlPage(t *testing.T, r *lab.Result, samples lab.SampleList) string {
	t.Helper()
	plots, err := plotsOf(r, samples)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := writePage(&b, title(r), markdown(t, r, samples), plots); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var (
	tag      = regexp.MustCompile(`<(/?[a-zA-Z!?][a-zA-Z0-9-]*)((?:[^>"]|"[^"]*")*)>`)
	onSwitch = regexp.MustCompile(`\s(on[a-z]+|src|srcset|action|formaction|xlink:href)=`)
)

// tags counts the elements of a page.
func tags(page string) map[string]int {
	n := map[string]int{}
	for _, m := range tag.FindAllStringSubmatch(page, -1) {
		n[m[1]]++
	}
	return n
}

func TestPageIsWholeInItself(t *testing.T) {
	for _, f := range fixtures() {
		page := htmlPage(t, first(f.make()), second(f.make()))
		for _, m := range tag.FindAllStringSubmatch(page, -1) {
			if slices.Contains([]string{"script", "link", "iframe", "img", "image", "object", "embed", "form", "base"}, m[1]) {
				t.Errorf("%s: an element %s", f.name, m[0])
			}
			if onSwitch.MatchString(m[2]) {
				t.Errorf("%s: %s", f.name, m[0])
			}
		}
		if regexp.MustCompile(`url\(|@import`).MatchString(page) {
			t.Errorf("%s: the style has something from elsewhere", f.name)
		}
	}
}

// Hostile text makes no element that harmless text would not, in no place.
func TestHostileTextMakesNoElement(t *testing.T) {
	plain := tags(htmlPage(t, first(hostileResult("x")), second(hostileResult("x"))))
	for _, bad := range append(hostile, `"><svg onload=alert(1)>`, `</title></style><script>`, `style="fill:#000000"`, "<details><summary>1 lines</summary>", "<!--") {
		if bad == "" {
			continue // what has no name has no row either
		}
		t.Run(fmt.Sprintf("%q", bad), func(t *testing.T) {
			page := htmlPage(t, first(hostileResult(bad)), second(hostileResult(bad)))
			got, want := tags(page), maps.Clone(plain)
			// A name of another length has other labels in the plots, or none.
			same := []string{"text", "/text"}
			if strings.Contains(bad, "http://") {
				same = append(same, "a", "/a") // a bare address is a link to itself
			}
			for _, name := range same {
				delete(got, name)
				delete(want, name)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("elements (-harmless +hostile):\n%s", diff)
			}
		})
	}
}

func TestPageTakesOverNoHTMLButItsOwnFolds(t *testing.T) {
	lines := slices.Repeat([]string{"true"}, foldedLines)
	p := &page{}
	p.commands(lines)
	for source, want := range map[string]int{
		p.String():                           1,
		"<details><summary>x<b></summary>\n": 0,
		"<script>alert(1)</script>\n":        0,
		"a <b onclick=x>b</b>\n":             0,
	} {
		var b bytes.Buffer
		if err := writePage(&b, "title", []byte(source), nil); err != nil {
			t.Fatal(err)
		}
		n := tags(b.String())
		if n["details"] != want || n["/details"] != want || n["script"]+n["b"] > 0 {
			t.Errorf("%q became %v, want %d folds", source, n, want)
		}
	}
}

func TestPageLeadsFromPageToPage(t *testing.T) {
	for to, want := range map[string]string{
		"runs/k3f9a2/report.md":          "runs/k3f9a2/report.html",
		"https://example.org/report.md":  "https://example.org/report.md",
		"runs/k3f9a2/result.json":        "runs/k3f9a2/result.json",
		"javascript:alert(1)//report.md": "",
	} {
		var b bytes.Buffer
		if err := writePage(&b, "title", fmt.Appendf(nil, "[run](%s)\n", to), nil); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), fmt.Sprintf(`<a href="%s">run</a>`, want)) {
			t.Errorf("%s: no link to %q in %s", to, want, strings.ReplaceAll(b.String(), style, ""))
		}
	}
}

func TestPageMarksOutcomes(t *testing.T) {
	page := htmlPage(t, first(fixtures()[0].make()), second(fixtures()[0].make()))
	for _, want := range []string{`<td class="outcome held">held</td>`, `<td class="outcome inconclusive">inconclusive</td>`, `<p class="outcome held">`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s", want)
		}
	}
}

func TestPageLinksToItsSections(t *testing.T) {
	page := htmlPage(t, first(fixtures()[0].make()), second(fixtures()[0].make()))
	links := regexp.MustCompile(`<li><a href="#([^"]+)">`).FindAllStringSubmatch(page, -1)
	if len(links) < 10 {
		t.Errorf("%d links", len(links))
	}
	for _, l := range links {
		if !strings.Contains(page, fmt.Sprintf(`<h2 id="%s">`, l[1])) {
			t.Errorf("nothing is called %s", l[1])
		}
	}
}
