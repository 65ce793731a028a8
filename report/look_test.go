package report

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sight is what the eye of a reader would complain about, and how much there
// was to see.
type sight struct {
	Overflow int      `json:"overflow"` // CSS pixels by which the page is wider than the screen
	Outside  []string `json:"outside"`  // what reaches beyond the screen, and cannot be scrolled into it
	Plots    int      `json:"plots"`    // that are shown
	Flat     []string `json:"flat"`     // pictures without a size
	Faint    []string `json:"faint"`    // text without enough contrast
	Tiny     []string `json:"tiny"`     // text in plots that is too small to be read
	Texts    int      `json:"texts"`    // that were looked at
	Scripts  int      `json:"scripts"`
}

// looking finds all that. The contrast is that of the Web Content Accessibility
// Guidelines 2.2, 1.4.3: 4.5 to 1 at the least.
const looking = `(() => {
  const numbers = c => (c.match(/[\d.]+/g) || []).map(Number);
  const light = c => {
    const [r, g, b] = numbers(c).slice(0, 3).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const clear = c => c === 'transparent' || numbers(c)[3] === 0;
  const behind = e => {
    for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (!clear(c)) return c; }
    return 'rgb(255, 255, 255)';
  };
  const shown = e => e.getClientRects().length > 0;
  const said = e => e.tagName + ' ' + e.textContent.trim().slice(0, 30);
  const s = {overflow: document.documentElement.scrollWidth - innerWidth, outside: [], plots: 0, flat: [], faint: [], tiny: [], texts: 0,
             scripts: document.scripts.length};
  for (const e of document.querySelectorAll('body *')) {
    if (!shown(e)) continue;
    const box = e.getBoundingClientRect();
    if (!e.closest('.scroll, pre, svg') && box.right > innerWidth + 1) s.outside.push(said(e));
    if (e.tagName === 'svg' || e.tagName === 'IMG') {
      s.plots++;
      if (box.width < 300 || box.height < 150) s.flat.push(e.parentElement.className + ' ' + box.width + ' by ' + box.height);
    }
    const own = [...e.childNodes].some(n => n.nodeType === Node.TEXT_NODE && n.textContent.trim());
    if (!own) continue;
    s.texts++;
    const inPlot = e.closest('svg');
    const style = getComputedStyle(e);
    const [ink, paper] = inPlot ? [style.fill, getComputedStyle(inPlot.querySelector('path')).fill] : [style.color, behind(e)];
    const c = contrast(ink, paper);
    if (c < 4.5) s.faint.push(said(e) + ': ' + c.toFixed(2) + ' of ' + ink + ' on ' + paper);
    if (inPlot) {
      const size = parseFloat(style.fontSize) * inPlot.getBoundingClientRect().width / inPlot.viewBox.baseVal.width;
      if (size < 10) s.tiny.push(said(e) + ': ' + size.toFixed(1) + ' px');
    }
  }
  return s;
})()`

// A page is opened as its readers do, on a wide and on a narrow screen, by
// daylight and at night.
func TestPageInABrowser(t *testing.T) {
	b := openBrowser(t)
	for _, f := range fixtures() {
		if !slices.Contains([]string{"skewed", "failed", "thousand", "open", "proxy", "emulated"}, f.name) {
			continue // its page has nothing that none of these has
		}
		dir := filepath.Join(t.TempDir(), f.name)
		put(t, dir, f)
		plots := 0
		for name := range contents(t, dir) {
			if strings.HasSuffix(name, ".svg") {
				plots++
			}
		}
		for _, s := range screens {
			name := f.name + "-" + s.String()
			t.Run(name, func(t *testing.T) {
				b.t = t
				look(t, b, filepath.Join(dir, pageFile), s, plots)
				b.keep(name)
			})
		}
	}
}

// look opens a page and fails the test for whatever would annoy its reader.
func look(t *testing.T, b *browser, page string, s screen, plots int) {
	t.Helper()
	b.open(page, s)
	var saw sight
	b.evaluate(looking, &saw)
	if saw.Overflow > 0 || len(saw.Outside) > 0 {
		t.Errorf("the page is %d pixels wider than the screen; beyond it is %q", saw.Overflow, saw.Outside)
	}
	if saw.Plots != plots || len(saw.Flat) > 0 {
		t.Errorf("%d plots are shown, want %d; without a size: %q", saw.Plots, plots, saw.Flat)
	}
	if len(saw.Faint) > 0 || len(saw.Tiny) > 0 {
		t.Errorf("hard to read: %q, %q", saw.Faint, saw.Tiny)
	}
	if saw.Texts < 50 || saw.Scripts > 0 {
		t.Errorf("%d texts and %d scripts, want a report and no script", saw.Texts, saw.Scripts)
	}
	for _, e := range b.events {
		complaint(t, e, page)
	}
}

// complaint fails the test for an event that a page must not cause.
func complaint(t *testing.T, e message, page string) {
	t.Helper()
	params, err := json.Marshal(e.Params)
	if err != nil {
		t.Fatal(err)
	}
	switch e.Method {
	case "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded":
		t.Errorf("the console says: %s", params)
	case "Network.requestWillBeSent":
		if url := fmt.Sprintf("%q", "file://"+page); !strings.Contains(string(params), `"url":`+url) {
			t.Errorf("a request: %s", params)
		}
	}
}

// A page that breaks every rule is complained about.
func TestTheLookFindsWhatIsWrong(t *testing.T) {
	b := openBrowser(t)
	page := filepath.Join(t.TempDir(), "bad.html")
	bad := `<!DOCTYPE html><html><head></head><body style="background:#fff;margin:0">
<p style="color:#ccc">faint</p><div style="width:3000px">wide</div>
<svg viewBox="0 0 100 100" width="10" height="10"><path d="M0,0L9,0L9,9Z" fill="#fff"/><text x="1" y="9" font-size="9px">tiny</text></svg>
<img src="https://example.invalid/x.png"><script>console.error("x")</script></body></html>`
	if err := os.WriteFile(page, []byte(bad), 0o644); err != nil {
		t.Fatal(err)
	}
	b.open(page, screen{width: 390})
	var saw sight
	b.evaluate(looking, &saw)
	if saw.Overflow <= 0 || len(saw.Outside) == 0 || len(saw.Faint) == 0 || len(saw.Tiny) == 0 || len(saw.Flat) == 0 || saw.Scripts == 0 {
		t.Errorf("the eye saw only %+v", saw)
	}
	if !b.happened("Runtime.consoleAPICalled") {
		t.Error("no word of the console was heard")
	}
	requests := 0
	for _, e := range b.events {
		if e.Method == "Network.requestWillBeSent" {
			requests++
		}
	}
	if requests < 2 {
		t.Errorf("%d requests were seen, want the page and its picture", requests)
	}
}
