package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/portlab/portlab/lab"
)

func (p *page) verdicts(r *lab.Result) {
	p.heading(2, "Verdict")
	p.outcomes(r)
	p.behaviour(r)
}

// behaviour tells what the balancer seems to do.
func (p *page) behaviour(r *lab.Result) {
	if b := r.Behaviour; b != nil {
		p.block(fmt.Sprintf("What the balancer seems to do: **%s**. %s", inline(string(b.Name)), capital(inline(b.Sentence))))
	}
}

// outcomes tells what became of the claims, the first of them in words.
func (p *page) outcomes(r *lab.Result) {
	if len(r.Verdicts) == 0 {
		p.block("No claim was held against what was measured.")
		return
	}
	first := r.Verdicts[0]
	headline := capital(inline(string(first.Outcome))) + ". " + capital(inline(orWord(first.Sentence, first.Claim)))
	p.block("**" + strings.TrimSpace(headline) + "**")
	g := &grid{
		aligns:   []align{left, left, left, right, right, left, left, right},
		headings: []string{"claim", "outcome", "test", "statistic", "p", "effect", "interval", "n"},
	}
	for _, v := range r.Verdicts {
		g.add(verdictRow(v)...)
	}
	p.table(g)
	for _, v := range r.Verdicts[1:] {
		if v.Sentence != "" {
			fmt.Fprintf(p, "- %s, %s: %s\n", prose(v.Claim), inline(string(v.Outcome)), inline(v.Sentence))
		}
	}
	if len(r.Verdicts) > 1 {
		p.WriteString("\n")
	}
	p.warnings(r)
}

func capital(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return s
	}
	return string(unicode.ToUpper(first)) + s[size:]
}

func verdictRow(v lab.Verdict) []string {
	claim := cell(v.Claim)
	if v.Asked {
		claim += " (asked for)"
	}
	statistic, p, effect := none, none, none
	if v.Statistic != nil {
		statistic = figure(*v.Statistic, 4)
	}
	if v.PValue != nil {
		p = strings.TrimPrefix(strings.TrimPrefix(pValue(*v.PValue), "p "), "= ")
	}
	if v.Effect != nil {
		effect = strings.TrimSpace(cell(v.EffectName) + " " + figure(*v.Effect, 3))
	}
	bounds := interval(v)
	if c := confidence(v); v.Interval != nil && c != "" {
		bounds += " (" + strings.TrimSpace(c) + ")"
	}
	return []string{claim, cell(string(v.Outcome)), orWord(cell(v.Test), none), statistic, p, effect, bounds, whole(v.N)}
}

func (p *page) warnings(r *lab.Result) {
	some := false
	for _, v := range r.Verdicts {
		for _, w := range v.Warnings {
			fmt.Fprintf(p, "- Warning, %s: %s\n", prose(v.Claim), prose(w))
			some = true
		}
		if v.NeedN > v.N {
			fmt.Fprintf(p, "- %s: %s observations would settle it; there are %s.\n", prose(v.Claim), whole(v.NeedN), whole(v.N))
			some = true
		}
	}
	if some {
		p.WriteString("\n")
	}
}

func (p *page) environment(e lab.Environment) {
	p.heading(2, "Environment")
	g := &grid{aligns: []align{left, left}, headings: []string{"what", "value"}}
	known := func(what, value string) {
		if value != "" {
			g.add(what, cell(value))
		}
	}
	known("kernel", e.Kernel)
	known("operating system", e.OS)
	known("container engine", e.Engine)
	known("firewall", e.Firewall)
	if e.CPUs > 0 {
		known("CPU", fmt.Sprintf("%s, %s", plural(e.CPUs, "core"), orWord(e.CPU, "model unknown")))
	}
	known("virtualisation", e.Virtualization)
	if e.Emulated {
		known("processor", "emulated in software")
	}
	if e.MemoryMiB > 0 {
		known("memory", whole(int(e.MemoryMiB))+" MiB")
	}
	for _, name := range sortedKeys(e.Versions) {
		known("version of "+cell(name), e.Versions[name])
	}
	for _, name := range sortedKeys(e.Sysctls) {
		known("sysctl "+cell(name), e.Sysctls[name])
	}
	if len(g.rows) == 0 {
		p.block("Nothing is known of it: the run ended before it could be looked at.")
	} else {
		p.table(g)
	}
	p.list(e.Notes)
}
