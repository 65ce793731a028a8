package report

import (
	"regexp"
	"strings"
	"unicode"
)

// printable makes text of outside harmless on a terminal: a line end or a tab
// becomes a space, and what would be obeyed instead of shown (control
// characters, marks that change the direction of writing) becomes U+FFFD.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == '\n' || c == '\r' || c == '\t':
			return ' '
		case !unicode.IsPrint(c):
			return unicode.ReplacementChar
		}
		return c
	}, s)
}

// The rules below follow the GitHub Flavored Markdown specification. They
// escape only what would be markup where it stands, since reports are read on
// terminals too: the underscore in ip_forward is no emphasis, and stays.
var (
	alwaysMarkup = strings.NewReplacer(
		`\`, `\\`, "`", "\\`", "*", `\*`, "~", `\~`, "$", `\$`, "](", `]\(`, "][", `]\[`, "![", `!\[`)
	htmlOpen      = regexp.MustCompile(`<([A-Za-z/!?])`)
	entity        = regexp.MustCompile(`&(#?[A-Za-z0-9]+;)`)
	startOfBlock  = regexp.MustCompile(`^(#|>|\[|[-+](\s|-|$))`)
	orderedMarker = regexp.MustCompile(`^(\d+)([.)])(\s|$)`)
)

// inline makes a text of outside Markdown that reads as it stands, within a line.
func inline(s string) string {
	s = strings.TrimSpace(printable(s))
	s = alwaysMarkup.Replace(s)
	s = htmlOpen.ReplaceAllString(s, `\<$1`)
	s = entity.ReplaceAllString(s, `\&$1`)
	return underscores(s)
}

// prose is inline for a text that begins a line.
func prose(s string) string {
	s = inline(s)
	switch {
	case orderedMarker.MatchString(s):
		return orderedMarker.ReplaceAllString(s, `$1\$2$3`)
	case startOfBlock.MatchString(s):
		return `\` + s
	}
	return s
}

// underscores escapes those that are not between two letters or digits.
func underscores(s string) string {
	runes := []rune(s)
	inWord := func(i int) bool {
		return i >= 0 && i < len(runes) && (unicode.IsLetter(runes[i]) || unicode.IsDigit(runes[i]))
	}
	var b strings.Builder
	for i, c := range runes {
		if c == '_' && !(inWord(i-1) && inWord(i+1)) {
			b.WriteByte('\\')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// cell makes a text of outside one cell of a Markdown table.
func cell(s string) string { return strings.ReplaceAll(inline(s), `|`, `\|`) }

// fence encloses lines as code for a shell, with more backticks than they hold in
// a row.
func fence(lines []string) string {
	marks := 3
	text := make([]string, len(lines))
	for i, line := range lines {
		text[i] = codeLine(line)
		for _, run := range backticks.FindAllString(line, -1) {
			marks = max(marks, len(run)+1)
		}
	}
	wall := strings.Repeat("`", marks)
	return wall + "sh\n" + strings.Join(text, "\n") + "\n" + wall + "\n"
}

var backticks = regexp.MustCompile("`+")

// codeLine keeps line ends and tabs, which mean something in code.
func codeLine(s string) string {
	return strings.Map(func(c rune) rune {
		if c == '\n' || c == '\t' || unicode.IsPrint(c) {
			return c
		}
		return unicode.ReplacementChar
	}, s)
}

// quote makes a word of a command line safe to be pasted into a POSIX shell.
func quote(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)
