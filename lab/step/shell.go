package step

import "github.com/portlab/portlab/lab"

func iptables(ip lab.Family, table string, words ...string) string {
	program := "iptables"
	if ip == lab.IPv6 {
		program = "ip6tables"
	}
	return lab.ShellLine(append([]string{program, "-t", table}, words...)...)
}

// where names a chain; only IPv6 is said, IPv4 being what most mean.
func where(ip lab.Family, table, chain string) string {
	if ip == lab.IPv6 {
		return "ip6 " + table + "/" + chain
	}
	return table + "/" + chain
}
