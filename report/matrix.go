package report

import (
	"slices"
	"strings"

	"github.com/portlab/portlab/lab/compare"
)

// traitTitle is what a trait is called for people.
func (d *digest) traitTitle(name string) string {
	title := name
	for _, k := range compare.Traits() {
		if k.Name == name {
			title = k.Title
		}
	}
	if slices.Contains([]string{compare.TraitLatency, compare.TraitThroughput, compare.TraitCPU}, name) {
		return timed(d.Environment, title)
	}
	return title
}

// traitNames are those that were found of some arm, in the order in which they
// are listed; what a later portlab may add comes last.
func (d *digest) traitNames() []string {
	var names []string
	has := func(name string) bool {
		return slices.ContainsFunc(d.Traits, func(t compare.Trait) bool { return t.Name == name })
	}
	for _, k := range compare.Traits() {
		if has(k.Name) {
			names = append(names, k.Name)
		}
	}
	for _, t := range d.Traits {
		if !slices.Contains(names, t.Name) {
			names = append(names, t.Name)
		}
	}
	return names
}

// traitArms are the arms of which something was found, in their order.
func (d *digest) traitArms() []string {
	var arms []string
	for _, a := range d.Arms {
		if slices.ContainsFunc(d.Traits, func(t compare.Trait) bool { return t.Arm == a.Name }) {
			arms = append(arms, a.Name)
		}
	}
	return arms
}

// matrix is a table of strategies by traits. Each cell links to the run that shows it.
func (p *page) matrix(d *digest) {
	arms, names := d.traitArms(), d.traitNames()
	if len(arms) == 0 {
		return
	}
	p.heading(2, "What each can do")
	p.block("Each cell was measured in a short run of its own, to which it links, or in the rounds; the last three columns are what a strategy declares.")
	g := &grid{aligns: []align{left}, headings: []string{"strategy"}}
	for _, name := range names {
		g.aligns, g.headings = append(g.aligns, left), append(g.headings, cell(d.traitTitle(name)))
	}
	for _, arm := range arms {
		row := []string{cell(arm)}
		for _, name := range names {
			row = append(row, d.traitCell(d.TraitsOf(arm, name)))
		}
		g.add(row...)
	}
	p.table(g)
	p.reasons(d, names)
	var how []string
	for _, k := range compare.Traits() {
		if slices.Contains(names, k.Name) {
			how = append(how, k.Title+": "+k.How)
		}
	}
	p.folded(true, "How each was found", func() { p.list(how) })
}

// traitCell shows what was found, all of it where it contradicts itself.
func (d *digest) traitCell(found []compare.Trait) string {
	if len(found) == 0 {
		return none
	}
	if !compare.Contradicted(found) {
		found = found[len(found)-1:]
	}
	var parts []string
	for _, t := range found {
		parts = append(parts, d.linked(cell(orWord(t.Value, t.Answer)), t.Folder))
	}
	if len(parts) > 1 {
		return "contradictory: " + strings.Join(parts, ", ")
	}
	return parts[0]
}

// reasons says why a trait cannot be had, cannot be told, or was found both
// ways, once for all arms of which the same is true.
func (p *page) reasons(d *digest, names []string) {
	var items []string
	for _, name := range names {
		var order []string
		arms := map[string][]string{}
		for _, t := range d.Traits {
			contradicted := compare.Contradicted(d.TraitsOf(t.Arm, name))
			if t.Name != name || t.Detail == "" || !contradicted && !needsReason(t) {
				continue
			}
			if arms[t.Detail] == nil {
				order = append(order, t.Detail)
			}
			arms[t.Detail] = append(arms[t.Detail], t.Arm)
		}
		for _, detail := range order {
			items = append(items, d.traitTitle(name)+", "+some(arms[detail], 6)+": "+detail)
		}
	}
	if len(items) > 0 {
		p.block("Why:")
		p.list(items)
	}
}

// needsReason says whether a reader wants to know why: of a no, and of what
// cannot be told; of what is declared, a yes.
func needsReason(t compare.Trait) bool {
	switch t.Name {
	case compare.TraitRoot:
		return false // its title says it
	case compare.TraitApplication, compare.TraitWarned:
		return t.Answer == compare.Yes
	}
	return t.Answer == compare.No || t.Answer == compare.Unknown
}

// advice is which to use, with the rules that led to it.
func (p *page) advice(d *digest) {
	if len(d.Advice) == 0 {
		return
	}
	p.heading(2, "Which should I use?")
	p.block("Each line follows from a rule: a filter on what was measured, then an order by a measured metric. " +
		"What cannot be told from the best is named with it. Baselines, and what comes with a warning, are left out; what was not measured is not advised.")
	for _, a := range d.Advice {
		p.WriteString("- **" + prose(a.For) + ":** " + inline(a.Sentence) + " _Rule: " + inline(a.Rule) + "_\n")
	}
	p.gap(len(d.Advice))
}
