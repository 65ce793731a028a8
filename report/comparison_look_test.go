package report

import (
	"path/filepath"
	"testing"
)

// scrolling scrolls the widest table to its end, and says whether there was
// anything to scroll and how far its first column moved, in CSS pixels.
const scrolling = `(() => {
  const boxes = [...document.querySelectorAll('.scroll')];
  const box = boxes.reduce((a, b) => b.scrollWidth - b.clientWidth > a.scrollWidth - a.clientWidth ? b : a);
  const first = box.querySelector('tr:last-child td');
  const before = first.getBoundingClientRect().left;
  box.scrollLeft = box.scrollWidth;
  const moved = Math.abs(first.getBoundingClientRect().left - before);
  const free = box.clientWidth - first.getBoundingClientRect().width;
  return {scrolled: box.scrollLeft, moved: moved, free: free};
})()`

func TestComparisonInABrowser(t *testing.T) {
	b := openBrowser(t)
	for _, f := range contests {
		dir := filepath.Join(t.TempDir(), f.name)
		if err := WriteComparison(dir, f.make()); err != nil {
			t.Fatal(err)
		}
		for _, s := range screens {
			name := f.name + "-" + s.String()
			t.Run(name, func(t *testing.T) {
				b.t = t
				look(t, b, filepath.Join(dir, pageFile), s, 1)
				b.keep(name)
				var saw struct{ Scrolled, Moved, Free float64 }
				b.evaluate(scrolling, &saw)
				if saw.Scrolled == 0 || saw.Moved > 1 || saw.Free < 100 {
					t.Errorf("a table that was scrolled by %v had its first column moved by %v, with %v left for the others", saw.Scrolled, saw.Moved, saw.Free)
				}
			})
		}
	}
}
