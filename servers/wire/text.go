package wire

// appendText writes s as a String if it is printable ASCII, else as a Display
// String (RFC 9651, sections 4.1.6 and 4.1.11).
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if !printable(s[i]) {
			return appendDisplay(b, s)
		}
	}
	b = append(b, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return append(b, '"')
}

func appendDisplay(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '%', '"')
	for i := range len(s) {
		c := s[i]
		if !printable(c) || c == '"' || c == '%' {
			b = append(b, '%', hex[c>>4], hex[c&15])
			continue
		}
		b = append(b, c)
	}
	return append(b, '"')
}

// printable says whether c is VCHAR or SP of RFC 5234.
func printable(c byte) bool { return c >= 0x20 && c <= 0x7e }
